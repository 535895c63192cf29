// The shifts of a site: as the edge reports them, or set here as a whole.

import { t } from '../i18n';
import { DAYS, type Settings, type Shift } from './wire';

interface Props {
  /** `null` = as the edge reports them. */
  shifts: Shift[] | null;
  own: Settings;
  disabled: boolean;
  change: (shifts: Shift[] | null) => void;
}

const FRESH: Shift = { name: '', days: ['mon', 'tue', 'wed', 'thu', 'fri'], start: '06:00', end: '14:00' };

export function ShiftFields({ shifts, own, disabled, change }: Props) {
  const w = t.value.settings;
  const reported = own.shifts_reported ?? [];
  if (shifts === null) {
    return (
      <fieldset class="shifts" data-testid="shifts">
        <legend>{w.shifts}</legend>
        {reported.length === 0 ? <p class="dim">{w.noShifts}</p> : (
          <ul>{reported.map((shift) => <li key={shift.name}><strong>{shift.name}</strong> {shift.days.map((day) => w.day[day] ?? day).join(', ')}, {shift.start} – {shift.end}</li>)}</ul>
        )}
        {!disabled && <button type="button" onClick={() => change(reported.length > 0 ? reported.map((one) => ({ ...one, days: [...one.days] })) : [{ ...FRESH }])}>{w.setHere}</button>}
      </fieldset>
    );
  }
  const edit = (index: number, to: Partial<Shift>) => change(shifts.map((one, place) => (place === index ? { ...one, ...to } : one)));
  return (
    <fieldset class="shifts" data-testid="shifts">
      <legend>{w.shifts}</legend>
      {shifts.length === 0 && <p class="dim">{w.noShifts}</p>}
      {shifts.map((shift, index) => (
        <fieldset key={index} class="rule-fields">
          <legend>{w.shift(index + 1)}</legend>
          <div class="fields">
            <label class="field"><span>{w.name}</span><input value={shift.name} maxLength={100} disabled={disabled} onInput={(event) => edit(index, { name: event.currentTarget.value })} /></label>
            <label class="field"><span>{w.start}</span><input type="time" value={shift.start} disabled={disabled} onInput={(event) => edit(index, { start: event.currentTarget.value })} /></label>
            <label class="field"><span>{w.end}</span><input type="time" value={shift.end} disabled={disabled} onInput={(event) => edit(index, { end: event.currentTarget.value })} /></label>
          </div>
          <fieldset class="ticks">
            <legend>{w.days}</legend>
            {DAYS.map((day) => (
              <label key={day}>
                <input type="checkbox" checked={shift.days.includes(day)} disabled={disabled}
                  onChange={() => edit(index, { days: DAYS.filter((one) => (one === day) !== shift.days.includes(one)) })} />{w.day[day]}
              </label>
            ))}
          </fieldset>
          {!disabled && <button type="button" class="small" onClick={() => change(shifts.filter((_, place) => place !== index))}>{w.removeShift(shift.name || w.shift(index + 1))}</button>}
        </fieldset>
      ))}
      {!disabled && (
        <div class="form-buttons">
          <button type="button" onClick={() => change([...shifts, { ...FRESH }])}>{w.addShift}</button>
          <button type="button" onClick={() => change(null)}>{w.asEdge}</button>
        </div>
      )}
    </fieldset>
  );
}
