// A command to copy, in the reader's language.

import { Command as Shared } from '../../../../common/ui/parts/Command';
import { t } from '../i18n';

export const Command = ({ text }: { text: string }) => <Shared text={text} hint={t.value.selectHint} />;
