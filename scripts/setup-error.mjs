// A failure of set-up that the user can mend: its message says how, and no stack trace is shown.

export class SetupError extends Error {
  name = 'SetupError';
}

/** Runs `main`; a SetupError ends the process with one clear message, anything else is a bug and shows its stack. */
export async function runSetup(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`anabranch: ${error.message}`);
    process.exit(1);
  }
}
