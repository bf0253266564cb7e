using System.CommandLine;
using System.Text.Json;
using Weir.Configuration;
using Weir.Identity;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir agent key create|revoke</c>: through the published functions, as a person who may; there is no other way.</summary>
internal static class AgentCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON line." };

    public static Command Create() => new("agent", "Agents of an organization.")
    {
        new Command("key", "Keys of an agent, by which its MCP client is known.") { Make(), Revoke() },
    };

    private static Command Make()
    {
        var agent = new Argument<Guid>("AGENT") { Description = "The agent's id." };
        var name = new Option<string>("--name")
        {
            Description = "What the key is called. [default: command line]", HelpName = "NAME", DefaultValueFactory = _ => "command line",
        };
        var days =
            new Option<int?>("--days") { Description = "How long it is good. [default: for ever, until it is revoked]", HelpName = "DAYS" };
        var command = new Command("create", """
            Make a key of an agent and print it, once: the database keeps a hash. For the agent's owner, and for admins.
            """)
        {
            agent, name, days, Json, PersonOptions.Url, PersonOptions.Token, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            if (parsed.GetValue(days) is < 1 or > 3650)
            {
                throw new ConfigException(["--days: it must be between 1 and 3650."]);
            }

            var expiresAt = parsed.GetValue(days) is { } number
                ? TimeProvider.System.GetUtcNow().AddDays(number) : default(DateTimeOffset?);
            var (text, keyId, secret) = AgentKey.Create();
            using var weir = new WeirClient(PersonOptions.Resolve(parsed), Timeout);
            await weir.PostAsync(
                "/rest/v1/rpc/create_agent_key", new
                {
                    agent_id = parsed.GetValue(agent), name = parsed.GetValue(name), key_id = keyId, secret, expires_at = expiresAt,
                }, stop);
            await Console.Out.WriteLineAsync(parsed.GetValue(Json)
                ? JsonSerializer.Serialize(new { key = text, key_id = keyId, expires_at = expiresAt }, PlainJson.Line)
                : text);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Revoke()
    {
        var key = new Argument<string>("KEY") { Description = "The key's id, or the whole key." };
        var command = new Command("revoke", "Revoke a key for good, with its next call. Again is harmless.")
        {
            key, Json, PersonOptions.Url, PersonOptions.Token, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var keyId = AgentKey.Parse(parsed.GetValue(key)!)?.Id ?? parsed.GetValue(key)!;
            using var weir = new WeirClient(PersonOptions.Resolve(parsed), Timeout);
            await weir.PostAsync("/rest/v1/rpc/revoke_agent_key", new { key_id = keyId }, stop);
            await Console.Out.WriteLineAsync(
                parsed.GetValue(Json)
                    ? JsonSerializer.Serialize(new { key_id = keyId, revoked = true }, PlainJson.Line) : $"{keyId} is revoked.");
            return ExitCode.Done;
        });
        return command;
    }
}
