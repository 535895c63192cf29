// A drawing over time, which follows its box, and a change of light and dark.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

interface Props {
  /** Read aloud instead of the drawing. */
  label: string;
  height: number;
  data: uPlot.AlignedData;
  /** Gets the colours of the page by the names of its variables. */
  options: (colour: (variable: string) => string) => Omit<uPlot.Options, 'width' | 'height'>;
  /** It is drawn anew when one of these changes. */
  follows: readonly unknown[];
}

export function Plot({ label, height, data, options, follows }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const own = box.current;
    if (!own) return;
    let plot: uPlot;
    const draw = () => {
      plot?.destroy();
      const style = getComputedStyle(own);
      plot = new uPlot({ ...options((name) => style.getPropertyValue(name).trim()), width: own.clientWidth, height }, data, own);
    };
    draw();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    const fit = new ResizeObserver(() => plot.setSize({ width: own.clientWidth, height }));
    fit.observe(own);
    return () => {
      dark.removeEventListener('change', draw);
      fit.disconnect();
      plot.destroy();
    };
  }, follows);
  return <div ref={box} class="plot" role="img" aria-label={label} />;
}

/** How every axis looks. */
export const axis = (colour: (variable: string) => string) => ({
  stroke: colour('--text-2'),
  grid: { stroke: colour('--line'), width: 1 },
  ticks: { show: false },
});
