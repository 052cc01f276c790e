/** Which gates let the signal pass, and which one held it back. */
import { fixed } from '@/format/numbers.ts';
import { Panel } from '@/parts/Panel.tsx';
import type { Story } from '../asking.ts';
import { type GateState, gatesOf } from './gates.ts';
import classes from './Story.module.css';

const SIGNS: Record<GateState, string> = { passed: '✓', shut: '✕', 'not looked at': '·' };

export function Gates({ story }: { story: Story }) {
  const { gate, sentence } = story;
  const ungated = gate.ungated_score;
  return (
    <Panel
      title="Gates"
      note={
        ungated !== null && `without the gate that held it back: ${fixed(ungated, 1)} of ${fixed(gate.threshold, 0)}`
      }
    >
      <ol className={classes.gates}>
        {gatesOf(gate.reason, sentence).map((each) => (
          <li key={each.name} className={classes.gate} data-state={each.state}>
            <span className={classes.sign} role="img" aria-label={each.state}>
              {SIGNS[each.state]}
            </span>
            <strong>{each.name}</strong>
            <span>{each.words}</span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
