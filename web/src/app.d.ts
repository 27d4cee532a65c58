declare global {
  namespace App {
    interface Error {
      message: string;
      /** A file of the dashboard could not be loaded. */
      file?: boolean;
    }
    interface PageData {
      /** The title of the browser's tab, before the name of the product. */
      title?: string;
      crumbs?: { label: string; href?: string }[];
    }
  }
}

export {};
