// One dead letter: its bytes, and the decision about it.

import { useSignal } from '@preact/signals';
import { get, post, Problem } from '../../../../common/ui/api';
import { Sheet } from '../../../../common/ui/parts/Sheet';
import { BYTES_PER_LINE, lines } from '../bytes';
import { t } from '../i18n';
import { ask } from '../load';
import { may } from '../store';
import { toast } from '../toast';
import { problemWords } from './Empty';

export interface DeadLetter {
  id: number;
  edge_id: string;
  warehouse_id: string | null;
  batch_id: string | null;
  kind: string;
  epoch: string | null;
  seq: number | null;
  reason: string;
  raw_bytes: number | null;
  received_at: string;
  state: string;
  resolved_at: string | null;
  /** Only for who may see people, of whom it may hold some, and says why. */
  raw_hex?: string | null;
}

/** 8 KiB: beyond, nobody reads hexadecimal. */
const LINES_MAX = 512;

export function Letter({ letter, again }: { letter: DeadLetter; again: () => void }) {
  return (
    <>
      {letter.state === 'open' && may('act') && <Decide letter={letter} again={again} />}
      <Bytes letter={letter} />
    </>
  );
}

function Decide({ letter, again }: { letter: DeadLetter; again: () => void }) {
  const words = t.value.letters;
  const [busy, refused, discarding] = [useSignal(false), useSignal(''), useSignal(false)];
  const replay = async () => {
    busy.value = true;
    refused.value = '';
    try {
      const answer = await post<{ stored: number; duplicates: number }>(`/api/v1/dead-letters/${letter.id}/replay`, {});
      toast(words.replayed(answer?.stored ?? 0, answer?.duplicates ?? 0));
      again();
    } catch (error) {
      refused.value = error instanceof Problem ? problemWords(error) : String(error);
      // Somebody else was faster.
      if (error instanceof Problem && error.status === 409) again();
    }
    busy.value = false;
  };
  return (
    <div class="decide">
      <div class="act-buttons">
        <button class="primary" data-action="replay" disabled={busy.value} onClick={() => void replay()}>{busy.value ? words.replaying : words.replay}</button>
        <button class="danger" data-action="discard" disabled={busy.value} onClick={() => (discarding.value = true)}>{words.discard}</button>
      </div>
      <p class="dim">{words.replayHint}</p>
      {refused.value && <p class="wrong" role="alert" lang="en" data-testid="refused">{words.refused(refused.value)}</p>}
      {discarding.value && <Discard letter={letter} done={again} close={() => (discarding.value = false)} />}
    </div>
  );
}

function Discard({ letter, done, close }: { letter: DeadLetter; done: () => void; close: () => void }) {
  const words = t.value.letters;
  const [reason, failed] = [useSignal(''), useSignal('')];
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await post(`/api/v1/dead-letters/${letter.id}/discard`, { reason: reason.value.trim() });
      toast(words.discarded);
      close();
      done();
    } catch (error) {
      failed.value = error instanceof Problem ? problemWords(error) : String(error);
    }
  };
  return (
    <Sheet title={words.discardTitle(letter.id)} id="discard" close={close}>
      <form onSubmit={(event) => void submit(event)}>
        <p>{words.discardExplain}</p>
        <label>
          <span>{words.discardReason}</span>
          <input name="reason" required maxLength={500} autofocus value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
        </label>
        {failed.value && <p class="wrong" role="alert">{t.value.shell.failed(failed.value)}</p>}
        <div class="buttons">
          <button class="danger" disabled={!reason.value.trim()}>{words.discardDo}</button>
          <button type="button" onClick={close}>{t.value.shell.cancel}</button>
        </div>
      </form>
    </Sheet>
  );
}

/** They may hold who it was: shown with a reason, which is recorded before. */
function Bytes({ letter }: { letter: DeadLetter }) {
  const words = t.value.letters;
  const raw = useSignal<string | null>(null);
  return (
    <section class="panel" aria-labelledby="raw">
      <h2 id="raw">{words.raw}</h2>
      {!may('people') ? <p class="dim">{t.value.shell.notAllowed}</p>
        : !letter.raw_bytes ? <p class="dim">{words.noRaw}</p>
        : raw.value === null ? <AskForBytes letter={letter} shown={(bytes) => (raw.value = bytes)} />
        : <Hex raw={raw.value} />}
    </section>
  );
}

function AskForBytes({ letter, shown }: { letter: DeadLetter; shown: (raw: string) => void }) {
  const words = t.value.alerts;
  const [reason, failed, busy] = [useSignal(''), useSignal(''), useSignal(false)];
  const submit = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      const { raw_hex } = await get<DeadLetter>(ask(`/api/v1/dead-letters/${letter.id}`, { reason: reason.value.trim() }));
      shown(raw_hex ?? '');
    } catch (error) {
      failed.value = error instanceof Problem ? problemWords(error) : String(error);
    }
    busy.value = false;
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <p>{t.value.letters.rawExplain}</p>
      <label>
        <span>{words.whoReason}</span>
        <input name="bytes-reason" required minLength={3} maxLength={500} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
      {failed.value && <p class="wrong" role="alert">{t.value.shell.failed(failed.value)}</p>}
      <div class="buttons"><button class="primary" data-action="bytes" disabled={busy.value || reason.value.trim().length < 3}>{words.whoAsk}</button></div>
    </form>
  );
}

function Hex({ raw }: { raw: string }) {
  const words = t.value.letters;
  const all = raw.length / 2;
  return (
    <>
      <div class="scroll" role="region" aria-label={words.hexadecimal} tabIndex={0}>
        <table class="hex" data-testid="bytes">
          <thead><tr><th scope="col">{words.offset}</th><th scope="col">{words.hexadecimal}</th><th scope="col">{words.text}</th></tr></thead>
          <tbody>{lines(raw, LINES_MAX).map(({ at, hex, text }) => <tr key={at}><td class="dim">{at}</td><td>{hex}</td><td>{text}</td></tr>)}</tbody>
        </table>
      </div>
      {all > LINES_MAX * BYTES_PER_LINE && <p class="dim">{words.cut(LINES_MAX * BYTES_PER_LINE, all)}</p>}
    </>
  );
}
