declare module 'svgcanvas' {
  /** A drawing context that makes SVG elements of what is drawn. */
  export const Context: new (options: {
    width: number;
    height: number;
  }) => CanvasRenderingContext2D & {
    getSerializedSvg(): string;
  };
}
