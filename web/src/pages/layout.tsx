/** What every page shares: skip link, header, main, footer. */

import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { healthQuery, isActive, jobsQuery } from '../api/queries.ts';
import { Mark } from '../parts/icon.tsx';
import { ThemeToggle } from '../parts/theme-toggle.tsx';

export function Layout() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const settled = useRef(path);

  // A reader's place is the new page, not the link that led to it.
  useEffect(() => {
    if (settled.current === path) return;
    settled.current = path;
    main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <div className="header-inner">
          <Link to="/" className="wordmark">
            <Mark /> Assay
          </Link>
          <nav aria-label="Main">
            <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
              Papers
            </Link>
            <Link to="/compare" activeOptions={{ includeSearch: false }}>
              Compare
            </Link>
            <Link to="/rooms">Rooms</Link>
            <Link to="/jobs">
              Jobs
              <ActiveJobs />
            </Link>
          </nav>
          <ThemeToggle />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <Footer />
    </>
  );
}

function ActiveJobs() {
  const { data } = useQuery(jobsQuery());
  const active = data?.items.filter((job) => isActive(job)).length ?? 0;
  if (active === 0) return null;
  return (
    <span className="badge">
      {active}
      <span className="visually-hidden"> active</span>
    </span>
  );
}

function Footer() {
  const { data } = useQuery(healthQuery());
  return (
    <footer className="footer">
      <div className="footer-inner">
        <span>Assay{data ? ` ${data.version}` : ''}</span>
        <span>Runs on this machine. Your models and texts stay here.</span>
        <Link to="/methods">Methods</Link>
      </div>
    </footer>
  );
}
