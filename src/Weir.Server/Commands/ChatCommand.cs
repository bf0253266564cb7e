using System.CommandLine;
using System.Text.Json;
using Weir.Chat;
using Weir.Configuration;
using Weir.Errors;
using Weir.Server.Hosting;
using Weir.Server.Up;

namespace Weir.Server.Commands;

/// <summary><c>weir chat "…"</c>: one message to an agent of a running Weir, and its answer.</summary>
internal static class ChatCommand
{
    /// <summary>Longer than any turn may be configured to take.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(11);

    private static readonly Argument<string> Message = new("message") { Description = "What to say." };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the whole answer as one JSON line." };
    private static readonly Option<string?> Url =
        new("--url") { Description = "Where Weir is. [default: what runs on the data directory]", HelpName = "URL" };
    private static readonly Option<string?> Token =
        new("--token") { Description = "A person's access token. [default: the demo's login]", HelpName = "TOKEN" };
    private static readonly Option<Guid?> Agent =
        new("--agent") { Description = "Who answers. [default: the demo's agent]", HelpName = "UUID" };
    private static readonly Option<Guid?> Channel = new("--channel")
    {
        Description = "Where it is said. [default: the demo's channel; with --agent the direct conversation]", HelpName = "UUID",
    };

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
            using var weir = new WeirClient(to, Timeout);
            var body = await weir.PostAsync(
                "/functions/v1/chat", new { agentId = to.AgentId, channelId = to.ChannelId, message = parsed.GetValue(Message)! }, stop);
            await PrintAsync(body, parsed.GetValue(Json));
            return ExitCode.Done;
        });
        return command;
    }

    private static UpConnection Resolve(ParseResult parsed)
    {
        var (url, token, agent, channel) =
            (WeirClient.ReadUrl(parsed.GetValue(Url)), parsed.GetValue(Token), parsed.GetValue(Agent), parsed.GetValue(Channel));
        UpConnection? running = null;
        if (url is null || token is null || agent is null)
        {
            var directory = parsed.GetValue(UpCommand.Data) ?? WeirConfig.Load(parsed.GetValue(CommandRun.Config)).DataDirectory;
            running = UpConnection.Find(directory)
                ?? throw new WeirException(ErrorCode.Unavailable, $"Nothing runs on {directory}.",
                    "Start it with weir up, or give --url, --token and --agent.");
        }

        var to = new UpConnection(
            url ?? running!.Url, agent ?? running!.AgentId, running?.WorkspaceId,
            // The demo's channel is for the demo's agent; another one has its own with this person.
            channel ?? (agent is null ? running!.ChannelId : null), token ?? running!.UserToken,
            token is null ? running!.Email : null, token is null ? running!.Password : null);
        string[] missing =
        [
            .. to.AgentId is null ? ["--agent: it must be given, for there is no demo here."] : Array.Empty<string>(),
            .. to.UserToken is null && to.Email is null
                ? ["--token: it must be given, for people sign in elsewhere."] : Array.Empty<string>(),
        ];
        return missing.Length > 0 ? throw new ConfigException(missing) : to;
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
