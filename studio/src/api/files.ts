import { ask } from "./client";
import type { FileSettings, UploadedFile } from "./types";

/** Something that was brought along: an upload and what is known of it. */
export type Brought = {
  file_id: string;
  name: string;
  kind: "video" | "picture";
  settings: FileSettings;
};

export async function upload(file: File): Promise<Brought> {
  const form = new FormData();
  form.append("purpose", "user_data");
  form.append("file", file);
  const kept = await ask<UploadedFile>("POST", "/v1/files", { body: form });
  const settings = await ask<FileSettings>("GET", `/v1/files/${kept.id}/settings`);
  return { file_id: kept.id, name: file.name, kind: settings.kind, settings };
}

export function thumbnailOfFile(file: string): string {
  return `/v1/files/${encodeURIComponent(file)}/thumbnail`;
}
