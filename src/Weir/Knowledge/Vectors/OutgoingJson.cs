using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Weir.Errors;
using Weir.Input;

namespace Weir.Knowledge.Vectors;

/// <summary>
/// One request to a service outside, and its JSON answer: bounded in time and size, and its failures typed. Nothing of an answer
/// that is no success is passed on.
/// </summary>
internal static class OutgoingJson
{
    /// <param name="name">Whom it goes to, in an error.</param>
    /// <exception cref="WeirException">WR012: not in time. WR008: too many requests. WR013: refused, broken off, too large, or no
    /// JSON.</exception>
    public static async Task<JsonDocument> SendAsync(
        HttpMessageInvoker http, HttpRequestMessage request, string name, TimeSpan timeout, int maxBytes, TimeProvider time,
        CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
            using var response = await http.SendAsync(request, either.Token);
            if (!response.IsSuccessStatusCode)
            {
                throw Refused(name, response.StatusCode);
            }

            return JsonInput.TryParse(
                await ReadAsync(response.Content, maxBytes, name, either.Token), JsonBounds.Answer, out var document, out var problem)
                ? document
                : throw new WeirException(ErrorCode.UpstreamFailed, $"{name} answered JSON that cannot be used: it {problem}");
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new WeirException(ErrorCode.UpstreamTimeout, $"{name} did not answer within {timeout.TotalSeconds:0.#} s.", inner: e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // The egress policy's own refusal says more.
            throw e.InnerException as WeirException
                ?? new WeirException(ErrorCode.UpstreamFailed, $"{name} could not be reached, or broke off.", inner: e);
        }
    }

    public static JsonContent Body<T>(T body) => JsonContent.Create(body, options: JsonSerializerOptions.Web);

    /// <summary>The key that the operator put into the environment.</summary>
    /// <exception cref="WeirException">WR010: it is not there.</exception>
    public static string Key(Func<string, string?> environment, string variable) => environment(variable) is { Length: > 0 } key
        && key.All(c => c is > ' ' and < '\x7f')
        ? key
        : throw new WeirException(ErrorCode.NotSupported, $"The environment variable {variable} holds no key.");

    private static async Task<byte[]> ReadAsync(HttpContent content, int maxBytes, string name, CancellationToken ct)
    {
        await using var stream = await content.ReadAsStreamAsync(ct);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer, ct) is var read and > 0)
        {
            if (body.Length + read > maxBytes)
            {
                throw new WeirException(ErrorCode.UpstreamFailed, $"{name} answered more than {maxBytes} bytes.");
            }

            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private static WeirException Refused(string name, HttpStatusCode status) => (int)status switch
    {
        429 => new WeirException(ErrorCode.RateLimited, $"{name} takes no more requests at the moment (429)."),
        // 3xx: a redirect is not followed
        var code => new WeirException(ErrorCode.UpstreamFailed, $"{name} answered {code}."),
    };
}
