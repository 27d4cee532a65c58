declare global {
  namespace App {
    interface PageData {
      /** The title of the browser's tab, before the name of the product. */
      title?: string;
      crumbs?: { label: string; href?: string }[];
    }
  }
}

export {};
