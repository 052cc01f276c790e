/** What may trade on the account: looked at by everybody, changed by admins, with the effect in numbers before it is said. */
import { Button, Group } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Ago } from '@/parts/Ago.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import { askConfig } from '../asking.ts';
import { type Changes, changeConfig } from '../commands/commands.ts';
import { useRights } from '../rights.ts';
import classes from './Config.module.css';
import { changesOf, formerOf, SETTINGS, type Texts, textsOf } from './config.ts';
import { Field } from './Field.tsx';
import { History } from './History.tsx';
import { Overrides } from './Overrides.tsx';
import { type ConfigPreview, Differences, Figures, PreviewPanel, usePreview } from './Preview.tsx';

interface Draft {
  /** Of the version that the person looked at; null: whichever is in force. */
  version: number | null;
  edits: Texts;
}

/** What was typed, on top of the version that it was typed for; without any, what is in force. */
function useDraft() {
  const asked = useQuery(askConfig);
  const [draft, setDraft] = useState<Draft | null>(null);
  const version = asked.data?.version ?? 0;
  const before = useMemo(() => textsOf(asked.data?.document ?? {}), [asked.data]);
  const texts = useMemo(() => ({ ...before, ...draft?.edits }), [before, draft]);
  const changes = useMemo(() => changesOf(before, texts), [before, texts]);
  return {
    asked,
    texts,
    before,
    changes,
    base: draft?.version ?? version,
    isOvertaken: draft !== null && draft.version !== null && draft.version !== version,
    edit: (name: string, text: string) =>
      setDraft({ version: draft?.version ?? version, edits: { ...draft?.edits, [name]: text } }),
    /** Propose these, whatever is in force by then. */
    propose: (edits: Texts) => setDraft({ version: null, edits }),
    drop: () => setDraft(null),
  };
}

interface Saying {
  meant: Changes;
  preview: ConfigPreview;
  /** What stood there before. */
  former: Texts;
}

function ChangeSheet({ meant, preview, onBack, onClose }: Saying & { onBack: () => void; onClose: () => void }) {
  return (
    <CommandSheet
      title="Change what may trade"
      effect={
        <>
          <Figures preview={preview} />
          <Differences preview={preview} />
        </>
      }
      action="Change it"
      confirmation={preview.raises_risk ? 'change' : undefined}
      raisesRisk
      content={meant}
      send={(key, { reason }) => changeConfig(key, meant, reason)}
      undo={{ action: 'Change it back…', onUndo: onBack }}
      onClose={onClose}
    />
  );
}

function useMeant(draft: ReturnType<typeof useDraft>, mayConfigure: boolean) {
  const hasChanges = Object.keys(draft.changes).length > 0;
  const meant = useMemo<Changes | null>(
    () => (hasChanges && mayConfigure ? { base_version: draft.base, changes: draft.changes } : null),
    [hasChanges, mayConfigure, draft.base, draft.changes],
  );
  const [settled] = useDebouncedValue(meant, 300);
  const preview = usePreview(settled);
  const isCurrent = meant !== null && settled === meant;
  return { meant, hasChanges, preview, ready: isCurrent ? (preview.data ?? null) : null };
}

export function ConfigPanel() {
  const { mayConfigure, why } = useRights();
  const draft = useDraft();
  const { meant, hasChanges, preview, ready } = useMeant(draft, mayConfigure);
  const [saying, setSaying] = useState<Saying | null>(null);
  const { data } = draft.asked;
  const close = (back: Texts | null) => {
    setSaying(null);
    if (back === null) draft.drop();
    else draft.propose(back);
  };
  return (
    <Panel
      title="What may trade"
      note={
        <>
          version {data?.version ?? '–'}
          {data?.changed_by ? `, by ${data.changed_by} ` : ', as shipped'}
          {data?.changed_at_ms != null && <Ago ms={data.changed_at_ms} />}
        </>
      }
      asked={draft.asked}
      lines={8}
    >
      <div className={classes.editor}>
        <div className={classes.fields}>
          {SETTINGS.map((setting) => (
            <Field
              key={setting.name}
              setting={setting}
              value={draft.texts[setting.name] ?? ''}
              isChanged={setting.name in draft.changes}
              isDisabled={!mayConfigure}
              onChange={(text) => draft.edit(setting.name, text)}
            />
          ))}
          <Overrides texts={draft.texts} isDisabled={!mayConfigure} onChange={draft.edit} />
        </div>
        <div className={classes.side}>
          {why !== null && <p className={classes.note}>{why}.</p>}
          {draft.isOvertaken && (
            <p className={classes.refused} role="alert">
              ▲ Somebody has changed it since you began: discard yours and look again.
            </p>
          )}
          {mayConfigure && (
            <PreviewPanel preview={hasChanges ? preview.data : undefined} error={hasChanges ? preview.error : null} />
          )}
          <Group gap="xs">
            <Button
              size="xs"
              disabled={ready === null || draft.isOvertaken}
              onClick={() =>
                meant !== null &&
                ready !== null &&
                setSaying({ meant, preview: ready, former: formerOf(draft.before, meant.changes) })
              }
            >
              Change…
            </Button>
            <Button size="xs" variant="default" disabled={!hasChanges} onClick={draft.drop}>
              Discard
            </Button>
          </Group>
          <History />
        </div>
      </div>
      {saying !== null && <ChangeSheet {...saying} onBack={() => close(saying.former)} onClose={() => close(null)} />}
    </Panel>
  );
}
