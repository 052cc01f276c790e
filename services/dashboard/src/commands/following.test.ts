import { expect, it } from 'vitest';
import { Problem } from '@/api/problem.ts';
import { answerOf, type CommandState, followed } from './following.ts';

const told = (state: CommandState['state'], result: string | null = null) =>
  ({ command_id: 'c1', state, result, expires_ms: 5_000 }) as CommandState;

function world(answers: (CommandState | Problem)[]) {
  const asked: string[] = [];
  let now = 0;
  const ports = {
    ask: async (id: string) => {
      asked.push(id);
      const answer = answers.shift() ?? told('unknown');
      if (answer instanceof Problem) throw answer;
      return answer;
    },
    now: () => now,
    wait: async (ms: number) => {
      now += ms;
    },
  };
  return { asked, ports };
}

it('takes the answer that is there, without another question', async () => {
  const { asked, ports } = world([]);
  expect(answerOf(await followed(told('accepted', 'flat'), ports))).toBe('flat');
  expect(asked).toEqual([]);
});

it('asks for the same command until somebody has said what became of it, also over failures', async () => {
  const { asked, ports } = world([told('unknown'), new Problem(503, 'away'), told('refused', 'the guard is silent')]);
  const state = await followed(told('unknown'), ports);
  expect(asked).toEqual(['c1', 'c1', 'c1']);
  expect(() => answerOf(state)).toThrow('the guard is silent');
});

it('ends when the command is over, and never calls silence a success', async () => {
  const { asked, ports } = world([]);
  const state = await followed(told('unknown'), ports);
  expect(asked).toHaveLength(10);
  expect(() => answerOf(state)).toThrow(Problem);
});

it('does not ask on where asking is not allowed any more', async () => {
  const { ports } = world([new Problem(403, 'banned')]);
  await expect(followed(told('unknown'), ports)).rejects.toThrow('banned');
});
