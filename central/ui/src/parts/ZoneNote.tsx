// By which clock the times of a page are told that are headquarters' own, not a site's.

import { here } from '../format';
import { t } from '../i18n';

export const ZoneNote = () => <p class="dim" data-testid="time-zone">{t.value.shell.timesIn(here)}</p>;
