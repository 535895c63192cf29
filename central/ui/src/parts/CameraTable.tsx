// Cameras with whether they are heard.

import { useMemo } from 'preact/hooks';
import { Shape, SHAPES } from '../../../../common/ui/parts/Icon';
import { byName } from '../format';
import { t } from '../i18n';
import { href } from '../route';
import { cameraName, zoneName } from '../settings';
import type { CameraRow } from '../wire';
import { Ago } from './Ago';
import { Table, type Column } from './Table';

export const cameraTitle = (site: string, camera: CameraRow) => camera.name ?? cameraName(site, camera.camera_id);

export function CameraState({ camera }: { camera: Pick<CameraRow, 'last_seen_at' | 'silent' | 'clock_suspect'> }) {
  const words = t.value.site;
  const [tone, shape, word] = camera.last_seen_at === null ? ['unknown', SHAPES.nodata, words.unseen] as const
    : camera.silent ? ['stale', SHAPES.nodata, words.silent] as const
    : camera.clock_suspect ? ['degraded', SHAPES.check, words.clockSuspect] as const
    : ['healthy', SHAPES.quiet, words.ok] as const;
  return <span class={`badge plain ${tone}`} data-camera-state={tone}><Shape d={shape} /> {word}</span>;
}

/** Silent ones first: nobody misses what does not say anything. */
const worst = (camera: CameraRow) => (camera.silent ? 0 : camera.last_seen_at === null ? 1 : camera.clock_suspect ? 2 : 3);

export function CameraTable({ site, rows, zone, withZone = true }: { site: string; rows: readonly CameraRow[]; zone: string; withZone?: boolean }) {
  const words = t.value.site;
  const columns = useMemo(() => {
    const all: Column<CameraRow>[] = [
      { key: 'camera', head: words.camera, value: (row) => cameraTitle(site, row), cell: (row) => <a href={href(`/sites/${site}/cameras/${encodeURIComponent(row.camera_id)}`)}>{cameraTitle(site, row)}</a> },
      { key: 'state', head: words.state, value: worst, cell: (row) => <CameraState camera={row} /> },
      { key: 'seen', head: words.lastSeen, value: (row) => (row.last_seen_at === null ? null : Date.parse(row.last_seen_at)), cell: (row) => <Ago at={row.last_seen_at} zone={zone} /> },
    ];
    if (withZone) all.splice(1, 0, { key: 'zone', head: words.zone, value: (row) => row.zone_id && zoneName(site, row.zone_id), cell: (row) => (row.zone_id ? zoneName(site, row.zone_id) : t.value.shell.none) });
    return all;
  }, [site, zone, withZone, words]);
  const sorted = [...rows].sort((a, b) => worst(a) - worst(b) || byName(cameraTitle(site, a), cameraTitle(site, b)));
  return <Table id="cameras" caption={words.cameras} columns={columns} rows={sorted} rowKey={(row) => `${row.edge_id} ${row.camera_id}`} tone={(row) => (row.silent ? 'stale' : '')} sortParam="cameras" />;
}
