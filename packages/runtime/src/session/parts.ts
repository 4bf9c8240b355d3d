/** Parts of the runtime that a session loads when its model needs them. */
export const parts = {
  bytes: () => import('../bytes.ts'),
  numbers: () => import('../numbers.ts'),
  general: () => import('../general.ts'),
} as const
