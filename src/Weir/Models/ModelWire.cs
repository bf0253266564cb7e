using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Models;

/// <summary>
/// Stands before the checked connections, so that three things are the same for each provider: the key, which is put into the request last;
/// what a status means; and how much is read.
/// </summary>
internal sealed class ModelWire(ModelProviderConfig provider, Func<string, string?> keys, int maxBytes, TimeProvider time)
    : DelegatingHandler
{
    /// <summary>What is read of an error's body, to find its code.</summary>
    private const int MaxErrorBytes = 64 * 1024;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Authorize(request);
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e) when (e.InnerException is WeirException refused)
        {
            throw new ModelException(ModelFailure.Failed,
                "The provider's address is not one that Weir connects to: egress.allow does not except it.", inner: refused);
        }
        catch (HttpRequestException e)
        {
            throw new ModelException(ModelFailure.Unavailable, "The provider cannot be reached.", mayRepeat: true, inner: e);
        }

        if (!response.IsSuccessStatusCode)
        {
            using (response)
            {
                throw await FailureOfAsync(response, cancellationToken);
            }
        }

        response.Content = await BoundAsync(response.Content, cancellationToken);
        return response;
    }

    /// <summary>
    /// The key is read for each request, so a new one is taken without a restart of anything but its environment.
    /// </summary>
    private void Authorize(HttpRequestMessage request)
    {
        if (provider.KeyVariable is not { } variable)
        {
            return;
        }

        if (keys(variable) is not { Length: > 0 } key)
        {
            throw new ModelException(ModelFailure.KeyMissing, $"The environment has no {variable}, which is to hold the provider's key.");
        }

        var isSet = provider.Kind == "anthropic"
            ? request.Headers.TryAddWithoutValidation("x-api-key", key)
            : request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        if (!isSet || key.Any(char.IsControl))
        {
            throw new ModelException(ModelFailure.KeyMissing, $"What {variable} holds cannot be a key.");
        }
    }

    private async Task<ModelException> FailureOfAsync(HttpResponseMessage response, CancellationToken ct)
    {
        var code = await ErrorCodeAsync(response, ct);
        var status = (int)response.StatusCode;
        return response.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                new ModelException(ModelFailure.KeyMissing, $"The provider does not take the key ({status})."),
            HttpStatusCode.NotFound => new ModelException(ModelFailure.UnknownModel, "The provider does not have this model (404)."),
            HttpStatusCode.BadRequest when code is "model_not_found" or "model_not_available" =>
                new ModelException(ModelFailure.UnknownModel, "The provider does not have this model (400)."),
            HttpStatusCode.BadRequest when code is "content_filter" or "content_policy_violation" =>
                new ModelException(ModelFailure.Refused, "The provider's filter refused the request (400)."),
            // More of the same does not help where the account's quota is used up.
            HttpStatusCode.TooManyRequests =>
                new ModelException(ModelFailure.RateLimited, "The provider limits requests (429).",
                    code is not "insufficient_quota", RetryAfter(response)),
            HttpStatusCode.RequestTimeout =>
                new ModelException(ModelFailure.Unavailable, "The provider gave up (408).", mayRepeat: true, RetryAfter(response)),
            >= HttpStatusCode.InternalServerError =>
                new ModelException(ModelFailure.Unavailable, $"The provider has an error ({status}).",
                    mayRepeat: true, RetryAfter(response)),
            _ => new ModelException(ModelFailure.Failed, $"The provider does not take the request ({status})."),
        };
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        if (response.Headers.TryGetValues("retry-after-ms", out var values)
            && double.TryParse(values.First(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds < int.MaxValue)
        {
            return TimeSpan.FromMilliseconds(milliseconds);
        }

        var after = response.Headers.RetryAfter;
        return after?.Delta ?? (after?.Date is { } date && date > time.GetUtcNow() ? date - time.GetUtcNow() : null);
    }

    /// <summary><c>error.code</c> or <c>error.type</c>; only compared, never shown.</summary>
    private static async Task<string?> ErrorCodeAsync(HttpResponseMessage response, CancellationToken ct)
    {
        try
        {
            await using var stream = new BoundedStream(await response.Content.ReadAsStreamAsync(ct), MaxErrorBytes);
            using var json = await JsonDocument.ParseAsync(stream, cancellationToken: ct);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("error", out var error)
                && error.ValueKind == JsonValueKind.Object
                ? Text(error, "code") ?? Text(error, "type")
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or HttpRequestException or ModelException)
        {
            return null;
        }

        static string? Text(JsonElement element, string member) =>
            element.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private async Task<HttpContent> BoundAsync(HttpContent content, CancellationToken ct)
    {
        var bounded = new StreamContent(new BoundedStream(await content.ReadAsStreamAsync(ct), maxBytes));
        foreach (var (name, values) in content.Headers)
        {
            bounded.Headers.TryAddWithoutValidation(name, values);
        }

        return bounded;
    }
}
