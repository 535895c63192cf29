// Shapes that differ by more than colour.

/** How bad an alert is. */
export type Severity = 'notice' | 'warning' | 'critical';

const TRIANGLE = 'M12 1 24 22H0zm-1.500 7v7h3V8zm0 8.700v3h3v-3z';

export const SHAPES = {
  connecting: 'M12 2a10 10 0 1 0 10 10h-3a7 7 0 1 1-7-7z',
  lost: 'M2.5 5.3 5.3 2.5l16.2 16.2-2.8 2.8zM12 17a2.4 2.4 0 1 1 0 4.8A2.4 2.4 0 0 1 12 17zM1 9.5A16 16 0 0 1 4.6 6.900l2 2A13 13 0 0 0 3 11.500zm22 0-2 2a12.800 12.800 0 0 0-8.200-3.700L10.300 5.300A16 16 0 0 1 23 9.500zM5 13.500a10 10 0 0 1 4-2.400l2.300 2.300A7 7 0 0 0 7 15.500z',
  alert: TRIANGLE,
  nodata: 'M4 2h16a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm2 8.200v3.600h12v-3.600z',
  check: 'M12 0.500 23.500 12 12 23.500 0.500 12zm-1.400 6v7h2.800v-7zm0 8.500v2.800h2.800V15z',
  quiet: 'M12 1a11 11 0 1 1 0 22 11 11 0 0 1 0-22zM5.800 12.200l4.500 4.600 8-9-2.200-2-5.900 6.700-2.300-2.400z',
} as const;

const SEVERITIES: Record<Severity, string> = {
  critical: 'M7.500 1h9L23 7.500v9L16.500 23h-9L1 16.500v-9zm3 5v8h3V6zm0 9.500v3h3v-3z',
  warning: TRIANGLE,
  notice: 'M12 1a11 11 0 1 1 0 22 11 11 0 0 1 0-22zm-1.500 5v3h3V6zm0 4.500V18h3v-7.500z',
};

export function StateIcon({ kind }: { kind: keyof typeof SHAPES }) {
  return <Shape d={SHAPES[kind]} />;
}

export function SeverityIcon({ severity }: { severity: Severity }) {
  return <Shape d={SEVERITIES[severity]} />;
}

export function Shape({ d }: { d: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={d} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}
