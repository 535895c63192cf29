// All versions there were, each with what it changed of the one before it.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get, type Problem } from '../../../../common/ui/api';
import { dated } from '../format';
import { t } from '../i18n';
import { ask } from '../load';
import { problemWords } from '../parts/Empty';
import { difference } from './difference';
import { Diff } from './Diff';
import type { Rule, Settings, Version } from './wire';

interface Props {
  path: string;
  zones: Settings['zones'];
  /** Absent for those who may only look. */
  use?: (rules: readonly Rule[]) => void;
}

export function Versions({ path, zones, use }: Props) {
  const w = t.value.rules;
  const list = useSignal<readonly Version[] | null>(null);
  const next = useSignal<number | null>(null);
  const failed = useSignal('');
  const load = async (cursor: number | null) => {
    try {
      const answer = await get<{ versions: Version[]; next: number | null }>(ask(`${path}/rules/versions`, { cursor }));
      [list.value, next.value, failed.value] = [[...(cursor === null ? [] : list.value ?? []), ...answer.versions], answer.next ?? null, ''];
    } catch (error) {
      failed.value = problemWords(error as Problem);
    }
  };
  useEffect(() => void load(null), [path]);
  const versions = list.value ?? [];
  return (
    <div class="versions">
      <h2>{w.versions}</h2>
      {failed.value && <p class="wrong" role="alert">{failed.value}</p>}
      {list.value?.length === 0 && <p class="dim">{w.noVersions}</p>}
      <ol data-testid="versions">
        {versions.map((own, index) => {
          const before = versions[index + 1];
          // Of the last one on this page the one before it is not known.
          const changes = own.rules && (before || next.value === null) ? difference(before?.rules ?? [], own.rules) : null;
          return (
            <li key={own.version} data-version={own.version}>
              <p><strong>{w.versionOf(own.version)}</strong> {w.madeBy(own.made_by, dated(own.made_at))}{own.note && <> · <q>{own.note}</q></>}</p>
              {own.rules === null && <p>{w.ownConfig}</p>}
              {changes && changes.length > 0 && <Diff changes={changes} zones={zones} />}
              {use && own.rules && <button class="small" onClick={() => use(own.rules!)}>{w.use}</button>}
            </li>
          );
        })}
      </ol>
      {next.value && <button onClick={() => void load(next.value)}>{t.value.shell.older}</button>}
    </div>
  );
}
