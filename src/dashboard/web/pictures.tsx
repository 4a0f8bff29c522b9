// Pictures that the proxy draws. As images: whatever names from the network are written in them, nothing of them runs.

import type { PictureView } from '../source.ts';

/** `drawing`, what went wrong, or the pictures. */
export type Pictures = string | readonly PictureView[];

export async function picturesFrom(address: string): Promise<Pictures> {
  try {
    const answer = (await (await fetch(address)).json()) as {
      readonly available: boolean;
      readonly why?: string;
      readonly pictures?: readonly PictureView[];
    };
    return answer.available ? (answer.pictures ?? []) : (answer.why ?? 'There is nothing to draw.');
  } catch {
    return 'The proxy does not answer.';
  }
}

export function Picture({ picture }: { picture: PictureView }) {
  const { title, about, light, dark } = picture;
  return (
    <figure class="picture">
      <picture>
        <source srcset={addressOf(dark)} media="(prefers-color-scheme: dark)" />
        <img src={addressOf(light)} alt={`${title}. ${about}`} loading="lazy" />
      </picture>
      <figcaption>{about}</figcaption>
    </figure>
  );
}

function addressOf(svg: string): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
}
