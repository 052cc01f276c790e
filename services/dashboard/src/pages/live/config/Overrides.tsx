/** Where a symbol differs from what all have: an empty field is as all have it. */
import { Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useNames } from '@/trading/knownNames.ts';
import classes from './Config.module.css';
import { OWN, ownName, ownSymbols, SETTINGS, type Texts } from './config.ts';

interface OverridesProps {
  texts: Texts;
  isDisabled: boolean;
  onChange: (name: string, text: string) => void;
}

const titleOf = (name: string) => SETTINGS.find((setting) => setting.name === name)?.title ?? name;

export function Overrides({ texts, isDisabled, onChange }: OverridesProps) {
  const { symbols } = useNames();
  const [added, setAdded] = useState<readonly string[]>([]);
  const shown = [...new Set([...ownSymbols(texts), ...added])].sort();
  const others = symbols.filter((symbol) => !shown.includes(symbol));
  return (
    <div className={`${classes.wide} ${classes.scroll}`}>
      <table className={classes.own}>
        <caption className="visually-hidden">Where a symbol differs</caption>
        <thead>
          <tr>
            <th scope="col">Symbol’s own</th>
            {OWN.map((name) => (
              <th key={name} scope="col">
                {titleOf(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((symbol) => (
            <tr key={symbol}>
              <th scope="row">{symbol}</th>
              {OWN.map((name) => (
                <td key={name}>
                  <TextInput
                    size="xs"
                    w={110}
                    aria-label={`${symbol}: ${titleOf(name)}`}
                    placeholder={texts[name]}
                    disabled={isDisabled}
                    value={texts[ownName(symbol, name)] ?? ''}
                    onChange={(event) => onChange(ownName(symbol, name), event.currentTarget.value.trim())}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {!isDisabled && others.length > 0 && (
        <Select
          size="xs"
          w={190}
          aria-label="Give a symbol values of its own"
          placeholder="A symbol of its own…"
          data={others}
          value={null}
          searchable
          onChange={(symbol) => symbol !== null && setAdded([...added, symbol])}
        />
      )}
      {shown.length === 0 && <p className={classes.note}>No symbol differs from what stands above.</p>}
    </div>
  );
}
