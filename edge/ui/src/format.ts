// Numbers and times as people on this site read them: their language, the site's time zone whatever the device's.

import { computed } from '@preact/signals';
import { knownZone, numbers, times } from '../../../common/ui/format';
import { locale } from './i18n';
import { site } from './store';

const zone = computed(() => knownZone(site.value?.time_zone));

export const { clock, clockSeconds, dated } = times(() => locale.value, () => zone.value);
export const { count, share, about } = numbers(() => locale.value);
export { age, score } from '../../../common/ui/format';
