using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Server.Auth;
using Weir.Server.Http;
using Weir.Server.Up;

namespace Weir.Server.Commands;

/// <summary>What commands ask of a running Weir, over HTTP and as a person; how it refuses becomes one line.</summary>
internal sealed class WeirClient : IDisposable
{
    private readonly EgressHttp _egress = new(new EgressPolicy([]));
    private readonly HttpClient _http;
    private readonly UpConnection _to;

    public WeirClient(UpConnection to, TimeSpan timeout)
    {
        _to = to;
        _http = _egress.OperatorClient(to.Url);
        _http.Timeout = timeout;
    }

    public static Uri? ReadUrl(string? text) => text is null ? null
        : Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url
        : throw new ConfigException([$"--url: \"{text}\" is not a URL."]);

    public void Dispose()
    {
        _http.Dispose();
        _egress.Dispose();
    }

    /// <summary>
    /// The body of a 200. The token of the start lives an hour; after that the person signs in anew, where the password is known.
    /// </summary>
    /// <exception cref="WeirException">Weir refused, or does not answer.</exception>
    public Task<string> PostAsync(string path, object content, CancellationToken ct) => AnsweredAsync(async () =>
    {
        var (status, body) = _to.UserToken is { } token ? await PostAsync(path, token, content, ct) : (401, "");
        if (status == 401 && _to is { Email: { } email, Password: { } password })
        {
            var session = await SignInOnceAsync(email, password, ct);
            (status, body) = await PostAsync(path, session.GetProperty("access_token").GetString()!, content, ct);
        }

        return status == 200 ? body : throw Failure(status, body);
    });

    /// <summary>A session, as GoTrue answers with it.</summary>
    /// <exception cref="WeirException">WR002: the address or the password is not right. WR008: too many attempts.</exception>
    public Task<JsonElement> SignInAsync(string email, string password, CancellationToken ct) =>
        AnsweredAsync(() => SignInOnceAsync(email, password, ct));

    private async Task<T> AnsweredAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (HttpRequestException e)
        {
            throw new WeirException(
                ErrorCode.Unavailable, $"Weir does not answer at {_to.Url}: {e.Message}", "Is it running? weir up starts one.", e);
        }
    }

    private async Task<(int Status, string Body)> PostAsync(string path, string token, object content, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(content) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, ct);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(ct));
    }

    private async Task<JsonElement> SignInOnceAsync(string email, string password, CancellationToken ct)
    {
        using var response = await _http.PostAsJsonAsync("/auth/v1/token?grant_type=password", new { email, password }, ct);
        var body = await response.Content.ReadAsStringAsync(ct);
        return response.IsSuccessStatusCode ? JsonElement.Parse(body) : throw SignInFailure((int)response.StatusCode, body);
    }

    /// <summary>The issuer's errors have GoTrue's form, everything else ours.</summary>
    private static WeirException SignInFailure(int status, string body)
    {
        try
        {
            var error = JsonSerializer.Deserialize<AuthError>(body, JsonSerializerOptions.Web);
            return error?.Message is { } message
                ? new WeirException(status == 429 ? ErrorCode.RateLimited : ErrorCode.Unauthenticated, $"{message} ({error.ErrorCode})")
                : Failure(status, body);
        }
        catch (JsonException)
        {
            return Failure(status, body);
        }
    }

    private static WeirException Failure(int status, string body)
    {
        try
        {
            var error = JsonSerializer.Deserialize<ErrorBody>(body, JsonSerializerOptions.Web);
            return ErrorCodes.TryParse(error?.Code, out var code) ? new WeirException(code, $"{error!.Message} ({error.Code})", error.Hint)
                : error?.Code is { } other && status is >= 400 and < 500
                    ? new WeirException(ErrorCode.InvalidArgument, $"{error.Message} ({other})", error.Hint)
                : new WeirException(ErrorCode.Internal, $"Weir answered {status}.");
        }
        catch (JsonException)
        {
            return new WeirException(ErrorCode.Internal, $"What listens there answered {status}, and it is not Weir.");
        }
    }
}
