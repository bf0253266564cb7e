using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Weir.Chat;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;
using Weir.Server.Auth;
using Weir.Server.Http;
using Weir.Server.Up;

namespace Weir.Server.Commands;

/// <summary><c>weir chat "…"</c>: one message to an agent of a running Weir, and its answer.</summary>
internal static class ChatCommand
{
    /// <summary>Longer than any turn may be configured to take.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(11);

    private static readonly Argument<string> Message = new("message") { Description = "What to say." };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the whole answer as one JSON line." };
    private static readonly Option<string?> Url = new("--url") { Description = "Where Weir is. [default: what runs on the data directory]", HelpName = "URL" };
    private static readonly Option<string?> Token = new("--token") { Description = "A person's access token. [default: the demo's login]", HelpName = "TOKEN" };
    private static readonly Option<Guid?> Agent = new("--agent") { Description = "Who answers. [default: the demo's agent]", HelpName = "UUID" };
    private static readonly Option<Guid?> Channel = new("--channel") { Description = "Where it is said. [default: the demo's channel; with --agent the direct conversation]", HelpName = "UUID" };

    public static Command Create()
    {
        var command = new Command("chat", """
            Say something to an agent, and print its answer. What the answer had to do without is printed on standard error.
            Without options it is the demo's agent, of the Weir that runs on the data directory.
            """)
        {
            Message, Json, Url, Token, Agent, Channel, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var to = Resolve(parsed);
            using var egress = new EgressHttp(new EgressPolicy([]));
            using var http = egress.OperatorClient(to.Url);
            http.Timeout = Patience;
            var body = await AskAsync(http, to, parsed.GetValue(Message)!, stop);
            await PrintAsync(body, parsed.GetValue(Json));
            return ExitCode.Done;
        });
        return command;
    }

    private static UpConnection Resolve(ParseResult parsed)
    {
        var (url, token, agent, channel) = (ReadUrl(parsed.GetValue(Url)), parsed.GetValue(Token), parsed.GetValue(Agent), parsed.GetValue(Channel));
        UpConnection? running = null;
        if (url is null || token is null || agent is null)
        {
            var directory = parsed.GetValue(UpCommand.Data) ?? WeirConfig.Load(parsed.GetValue(CommandRun.Config)).DataDirectory;
            running = UpConnection.Find(directory)
                ?? throw new WeirException(ErrorCode.Unavailable, $"Nothing runs on {directory}.", "Start it with weir up, or give --url, --token and --agent.");
        }

        var to = new UpConnection(
            url ?? running!.Url, agent ?? running!.AgentId, running?.WorkspaceId,
            // The demo's channel is for the demo's agent; another one has its own with this person.
            channel ?? (agent is null ? running!.ChannelId : null), token ?? running!.UserToken,
            token is null ? running!.Email : null, token is null ? running!.Password : null);
        string[] missing =
        [
            .. to.AgentId is null ? ["--agent: it must be given, for there is no demo here."] : Array.Empty<string>(),
            .. to.UserToken is null && to.Email is null ? ["--token: it must be given, for people sign in elsewhere."] : Array.Empty<string>(),
        ];
        return missing.Length > 0 ? throw new ConfigException(missing) : to;
    }

    private static Uri? ReadUrl(string? text) => text is null ? null
        : Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url
        : throw new ConfigException([$"--url: \"{text}\" is not a URL."]);

    /// <summary>The token of the start lives an hour; after that the demo's person signs in anew.</summary>
    private static async Task<string> AskAsync(HttpClient http, UpConnection to, string message, CancellationToken ct)
    {
        try
        {
            var (status, body) = to.UserToken is { } token ? await PostAsync(http, to, token, message, ct) : (401, "");
            if (status == 401 && to is { Email: { } email, Password: { } password })
            {
                (status, body) = await PostAsync(http, to, await SignInAsync(http, email, password, ct), message, ct);
            }

            return status == 200 ? body : throw Failure(status, body);
        }
        catch (HttpRequestException e)
        {
            throw new WeirException(ErrorCode.Unavailable, $"Weir does not answer at {to.Url}: {e.Message}", "Is it running? weir up starts one.", e);
        }
    }

    private static async Task<(int Status, string Body)> PostAsync(HttpClient http, UpConnection to, string token, string message, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/chat")
        {
            Content = JsonContent.Create(new { agentId = to.AgentId, channelId = to.ChannelId, message }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await http.SendAsync(request, ct);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(ct));
    }

    private static async Task<string> SignInAsync(HttpClient http, string email, string password, CancellationToken ct)
    {
        using var response = await http.PostAsJsonAsync("/auth/v1/token?grant_type=password", new { email, password }, ct);
        var body = await response.Content.ReadAsStringAsync(ct);
        return response.IsSuccessStatusCode ? JsonElement.Parse(body).GetProperty("access_token").GetString()! : throw SignInFailure((int)response.StatusCode, body);
    }

    /// <summary>The issuer's errors have GoTrue's form, everything else ours.</summary>
    private static WeirException SignInFailure(int status, string body)
    {
        try
        {
            var error = JsonSerializer.Deserialize<AuthError>(body, JsonSerializerOptions.Web);
            return error?.Message is { } message ? new WeirException(status == 429 ? ErrorCode.RateLimited : ErrorCode.Unauthenticated, $"{message} ({error.ErrorCode})") : Failure(status, body);
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
            return ErrorCodes.TryParse(error?.Code, out var code)
                ? new WeirException(code, $"{error!.Message} ({error.Code})", error.Hint)
                : new WeirException(ErrorCode.Internal, $"Weir answered {status}.");
        }
        catch (JsonException)
        {
            return new WeirException(ErrorCode.Internal, $"What listens there answered {status}, and it is not Weir.");
        }
    }

    private static async Task PrintAsync(string body, bool json)
    {
        if (json)
        {
            await Console.Out.WriteLineAsync(body);
            return;
        }

        var answer = JsonSerializer.Deserialize<ChatAnswer>(body, ChatAnswer.Json)!;
        await Console.Out.WriteLineAsync(answer.Message);
        foreach (var missing in answer.Degraded)
        {
            await Console.Error.WriteLineAsync($"weir: without {missing.Server ?? missing.Source}: {missing.Message}");
        }
    }
}
