/** Everything around the pages: colours, questions, routes. */
import '@fontsource-variable/inter/wght.css';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import '@/theme/tokens.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, Navigate, type RouteObject, RouterProvider } from 'react-router';
import { queries } from '@/api/queries.ts';
import { schemes, theme, variables } from '@/theme/theme.ts';
import { Broken } from './Broken.tsx';
import { Frame } from './Frame.tsx';
import { Gate } from './Gate.tsx';
import { NotFound } from './NotFound.tsx';
import { PAGES, type Page } from './pages.tsx';

function route(page: Page): RouteObject {
  if (page.movedTo !== undefined) return { path: page.path, element: <Navigate to={page.movedTo} replace /> };
  const content = <Gate page={page} />;
  return {
    path: page.path,
    element: page.isBare ? content : <Frame page={page}>{content}</Frame>,
    errorElement: <Broken />,
  };
}

const router = createBrowserRouter([...PAGES.map(route), { path: '*', element: <NotFound /> }]);

export function App() {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      colorSchemeManager={schemes}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Notifications position="bottom-right" limit={4} autoClose={6_000} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
