import { CSPProvider } from "@base-ui/react/csp-provider";
import { Tooltip } from "@base-ui/react/tooltip";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api/client";
import { App } from "./app/App";
import { Notices } from "./app/Notices";
import { readStored } from "./app/stored";
import "./look/styles.css";
import { showTheme, type Theme } from "./look/theme";
import { Spoken } from "./words/words";

showTheme(readStored<Theme>("theme", "dark"));

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // what the server refuses stays refused; only silence is worth asking again
      retry: (count, error) =>
        error instanceof Problem && (error.gone || error.status >= 500) && count < 3,
      refetchOnWindowFocus: false,
    },
  },
});

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <CSPProvider disableStyleElements>
        <QueryClientProvider client={queries}>
          <Spoken>
            <Tooltip.Provider delay={500}>
              <Notices>
                <App />
              </Notices>
            </Tooltip.Provider>
          </Spoken>
        </QueryClientProvider>
      </CSPProvider>
    </StrictMode>,
  );
