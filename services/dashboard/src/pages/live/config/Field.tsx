/** One setting: a list of names, an amount, a count or a choice. */
import { Select, TagsInput, TextInput } from '@mantine/core';
import { useNames } from '@/trading/knownNames.ts';
import { listOf, type Setting } from './config.ts';

interface FieldProps {
  setting: Setting;
  value: string;
  isChanged: boolean;
  isDisabled: boolean;
  onChange: (text: string) => void;
}

export function Field({ setting, value, isChanged, isDisabled, onChange }: FieldProps) {
  const names = useNames();
  const { title, unit, help, kind, choices } = setting;
  const label = `${title}${unit === undefined ? '' : `, ${unit}`}${isChanged ? ' ●' : ''}`;
  const shared = { size: 'xs', label, description: help, disabled: isDisabled } as const;
  if (kind === 'list') {
    const known = setting.name === 'strategies' ? names.strategies : names.symbols;
    return (
      <TagsInput
        {...shared}
        data={known}
        value={listOf(value)}
        onChange={(list) => onChange(list.join(','))}
        splitChars={[',', ' ']}
        clearable
      />
    );
  }
  if (kind === 'choice') {
    return (
      <Select
        {...shared}
        data={[...(choices ?? [])]}
        value={value}
        allowDeselect={false}
        onChange={(chosen) => onChange(chosen ?? value)}
      />
    );
  }
  return (
    <TextInput
      {...shared}
      inputMode="decimal"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value.trim())}
    />
  );
}
