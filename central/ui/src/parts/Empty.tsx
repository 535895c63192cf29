// Where there is nothing: why, and what to do next.

import type { ComponentChildren } from 'preact';
import type { Problem } from '../../../../common/ui/api';
import { Command as Shared } from '../../../../common/ui/parts/Command';
import { t } from '../i18n';

export const Command = ({ text }: { text: string }) => <Shared text={text} hint={t.value.shell.selectHint} />;

interface Props {
  title: string;
  hint?: string;
  /** What to type next. */
  command?: string;
  children?: ComponentChildren;
}

export function Empty({ title, hint, command, children }: Props) {
  return (
    <div class="empty" data-testid="empty">
      <p>{title}</p>
      {hint && <p>{hint}</p>}
      {command && <Command text={command} />}
      {children}
    </div>
  );
}

/** Instead of what could not be loaded, or above what is now old. */
export function Failed({ problem, again }: { problem: Problem; again?: () => void }) {
  return (
    <div class="failed-box" role="alert" data-testid="failed">
      <p>{t.value.shell.failed(problemWords(problem))}</p>
      {again && <button onClick={again}>{t.value.shell.again}</button>}
    </div>
  );
}

/** A refusal in the reader's language where the code has words; else as the server says it. */
export function problemWords(problem: Problem): string {
  return t.value.shell.problem[problem.code] ?? problem.message;
}

export const Loading = () => <p class="empty" role="status">{t.value.shell.loading}</p>;
