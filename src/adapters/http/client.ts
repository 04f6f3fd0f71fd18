import axios, { type AxiosInstance } from "axios";

/** No request of a connector may take longer: a slow server must not hold a worker past its lock. */
const TIMEOUT_MS = 30_000;
/** Answers larger than this are refused: a page of logs is far smaller, and memory is bounded. */
const ANSWER_MAX = 67_108_864;

/**
 * The HTTP client that connectors get: no redirects (a credential must not follow one), no retries (the pipeline
 * decides), every status resolves (the connector decides what it means), bodies stay text.
 */
export function httpClient(userAgent: string): AxiosInstance {
  return axios.create({
    timeout: TIMEOUT_MS,
    maxRedirects: 0,
    maxContentLength: ANSWER_MAX,
    maxBodyLength: ANSWER_MAX,
    validateStatus: () => true,
    responseType: "text",
    transformResponse: [(data: unknown) => data],
    headers: { "User-Agent": userAgent },
  });
}
