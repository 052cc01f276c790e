/** What became of a command: its answer, or, where none has come yet, asking until it is over. Nothing is ever said a second time. */
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { Problem } from '@/api/problem.ts';

export type CommandState = Schema<'CommandState'>;

const AGAIN_MS = 500;

export interface FollowingPorts {
  ask(id: string): Promise<CommandState>;
  now(): number;
  wait(ms: number): Promise<void>;
}

const PORTS: FollowingPorts = {
  ask: (id) => bodyOf(api.GET('/api/commands/{command_id}', { params: { path: { command_id: id } } })),
  now: Date.now,
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
};

/**
 * The last word on a command: accepted, refused, or `unknown` when its time is over without an answer. A question that fails is
 * asked again: the command goes on without us.
 */
export async function followed(first: CommandState, ports: FollowingPorts = PORTS): Promise<CommandState> {
  let state = first;
  while (state.state === 'unknown' && ports.now() < state.expires_ms) {
    await ports.wait(AGAIN_MS);
    state = await ports.ask(state.command_id).catch((error: unknown) => {
      if (error instanceof Problem && !error.isPassing) throw error;
      return state;
    });
  }
  return state;
}

/** A refusal is a problem with the sentence of whoever refused. */
export function answerOf(state: CommandState): string {
  if (state.state === 'accepted') return state.result ?? 'done';
  if (state.state === 'refused') throw new Problem(409, state.result ?? 'refused');
  throw new Problem(504, 'no answer came in time; look at what has happened before you say it again');
}
