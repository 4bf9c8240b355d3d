/** How far glyphs stray from a copybook. All lengths in pixels of the 28 × 28 image. */
export const difficulty = {
  /** Standard deviation of a stroke point, in units of the 10 × 14 box. */
  pointJitter: 0.52,
  /** Standard deviation of the tangent of half the rotation angle; 0.085 is about 10°. */
  halfTurn: 0.085,
  /** Standard deviation of the slant, and its mean: handwriting leans right. */
  shear: 0.19,
  meanShear: 0.08,
  /** Limits of the height in pixels and of the width as a share of the copybook's. */
  height: [13.5, 21],
  width: [0.72, 1.2],
  /** Largest shift of the centre. */
  shift: 2.6,
  /** Limits of the elastic field's standard deviation. */
  elastic: [0.25, 1.25],
  /** Limits of a stroke's half width. */
  halfWidth: [0.55, 1.75],
  /** Limits of the width of the fading edge. */
  softness: [0.8, 1.9],
  /** Limits of the ink's brightness. */
  ink: [0.55, 1],
  /** Limits of the noise's standard deviation, as a share of full brightness. */
  noise: [0, 0.14],
  /** Probability of a stray mark or of a piece of a neighbouring digit. */
  clutter: 0.35,
} as const
