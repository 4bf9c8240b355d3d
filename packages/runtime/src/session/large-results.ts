/** From this size on, page faults in fresh memory of a result count beside the time of a run. */
export const largeResultBytes = 65_536

/** Called, where a host has it, before a session with large results runs. Node's is set by `index.node.ts`. */
export const largeResults: { prepareHost: (() => void) | undefined } = { prepareHost: undefined }
