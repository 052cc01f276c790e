/** What the gateway said to what a form has sent: refused, or done. */
import { Alert } from '@mantine/core';

export function FormWords({ refusal, done }: { refusal: string | null; done?: string | null | undefined }) {
  return (
    <>
      {refusal !== null && (
        <Alert color="red" role="alert">
          {refusal}
        </Alert>
      )}
      {refusal === null && done !== null && done !== undefined && (
        <Alert color="gray" role="status">
          ✓ {done}
        </Alert>
      )}
    </>
  );
}
