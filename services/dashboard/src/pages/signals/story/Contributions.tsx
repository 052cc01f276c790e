/** The score as a waterfall: one bar a factor, from where the one before ended; lines where the threshold is. */
import { fixed, percent, signed } from '@/format/numbers.ts';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { spoken } from '@/trading/names.ts';
import classes from './Story.module.css';
import { type Contribution, place, type Step, type Waterfall, waterfallOf } from './waterfall.ts';

interface AxisProps {
  threshold: number;
  reach: number;
}

function Axis({ threshold, reach }: AxisProps) {
  return (
    <>
      <line x1="50%" x2="50%" y1="0" y2="26" stroke="var(--line)" />
      {[-threshold, threshold].map((at) => (
        <line
          key={at}
          x1={`${place(at, reach)}%`}
          x2={`${place(at, reach)}%`}
          y1="0"
          y2="26"
          stroke="var(--dim)"
          strokeDasharray="2 3"
        />
      ))}
    </>
  );
}

function Bar({ from, to, reach, threshold }: { from: number; to: number } & AxisProps) {
  const [left, right] = [place(Math.min(from, to), reach), place(Math.max(from, to), reach)];
  return (
    <svg aria-hidden="true">
      <Axis threshold={threshold} reach={reach} />
      <rect
        x={`${left}%`}
        width={`${Math.max(0.4, right - left)}%`}
        y="6"
        height="14"
        rx="1.5"
        fill={to === from ? 'var(--dim)' : to > from ? 'var(--up)' : 'var(--down)'}
      />
    </svg>
  );
}

function Line({ step, reach, threshold }: { step: Step } & AxisProps) {
  return (
    <tr>
      <td>
        {spoken(step.factor)}
        {step.omitted !== null && <div className={classes.omitted}>left out: {step.omitted}</div>}
      </td>
      <td className={classes.narrow}>{step.omitted === null ? signed(step.value, 2) : '–'}</td>
      <td className={classes.narrow}>{fixed(step.weight, 2)}</td>
      <td className={classes.narrow}>{percent(step.coverage, 0)}</td>
      <td>{step.omitted === null ? signed(step.contribution * 100, 1) : '–'}</td>
      <td className={classes.bars}>
        <Bar from={step.from} to={step.to} reach={reach} threshold={threshold} />
      </td>
    </tr>
  );
}

function Total({ waterfall, threshold }: { waterfall: Waterfall; threshold: number }) {
  const { total, reach } = waterfall;
  const side = total > 0 ? 'long' : total < 0 ? 'short' : 'no direction';
  return (
    <tr>
      <th scope="row">{side}</th>
      <td className={classes.narrow} />
      <td className={classes.narrow} />
      <td className={classes.narrow} />
      <td>{signed(total, 1)}</td>
      <td className={classes.bars}>
        <Bar from={0} to={total} reach={reach} threshold={threshold} />
      </td>
    </tr>
  );
}

interface ContributionsProps {
  parts: readonly Contribution[];
  threshold: number;
}

export function Contributions({ parts, threshold }: ContributionsProps) {
  const waterfall = waterfallOf(parts, threshold);
  return (
    <Panel title="What each factor gave" note={`dashed: ±${fixed(threshold, 0)} needed; right is long, left is short`}>
      {parts.length === 0 ? (
        <Empty title="This signal says nothing of its factors" />
      ) : (
        <table className={classes.steps}>
          <thead>
            <tr>
              <th scope="col">Factor</th>
              <th scope="col" className={classes.narrow} title="Its opinion, −1 (short) to 1 (long); a scale’s: 0 to 1">
                Opinion
              </th>
              <th scope="col" className={classes.narrow}>
                Weight
              </th>
              <th scope="col" className={classes.narrow} title="How much of its data it had">
                Coverage
              </th>
              <th scope="col">Gave</th>
              <th scope="col" className={classes.bars}>
                <span className="visually-hidden">Bar</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {waterfall.steps.map((step) => (
              <Line key={step.factor} step={step} reach={waterfall.reach} threshold={threshold} />
            ))}
          </tbody>
          <tfoot>
            <Total waterfall={waterfall} threshold={threshold} />
          </tfoot>
        </table>
      )}
    </Panel>
  );
}
