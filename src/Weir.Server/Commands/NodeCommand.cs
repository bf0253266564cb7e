using System.CommandLine;
using Weir.Configuration;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir node register</c>: lets another host join.</summary>
internal static class NodeCommand
{
    private const int LongestMinutes = 7 * 24 * 60;

    /// <summary>On standard error: standard output is the token.</summary>
    private const string Capacity = """
        A server with share session needs a process for each agent and replica: 32 unless its max_sessions says otherwise, 128 at most.
        A node that runs as root gives an organization 1024 processes and threads (limit-processes), which is about 93 such processes.
        Raise them before you need them: the page "nodes" of the documentation, "Capacity".
        """;

    public static Command Create() => new("node", "Hosts that run servers.") { Register() };

    private static Command Register()
    {
        var name = new Argument<string>("NAME") { Description = "The new node's name." };
        var region = new Option<string?>("--region") { Description = "The region that it is in.", HelpName = "REGION" };
        var minutes = new Option<int>("--valid-for")
        {
            Description = "How long the token can be used.",
            HelpName = "MINUTES",
            DefaultValueFactory = _ => 60,
        };
        minutes.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && (!int.TryParse(text, out var number) || number is < 1 or > LongestMinutes))
            {
                result.AddError($"--valid-for wants minutes, from 1 to {LongestMinutes}, not \"{text}\".");
            }
        });
        var command = new Command("register", """
            Print a token with which a node registers once: WEIR_NODE_TOKEN of weir-node. Needs WEIR_ENGINE_DATABASE_URL
            only. A name that a node has already is refused; before that node has registered it gets another token, and the newest is good.
            """)
        {
            name, region, minutes, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config)).Database;
            var engine = config.EngineUrl ?? throw new ConfigException(["database.engineUrl (WEIR_ENGINE_DATABASE_URL): it must be set."]);
            // The other login has nothing to do here; a pool that is not used does not connect.
            await using var databases = Databases.Open(config with { Url = engine });
            var token = await new NodeTokens(new NodesQueries(databases), TimeProvider.System).IssueAsync(
                parsed.GetValue(name)!, parsed.GetValue(region), TimeSpan.FromMinutes(parsed.GetValue(minutes)), stop);
            await Console.Out.WriteLineAsync(token);
            await Console.Error.WriteLineAsync(Capacity);
            return ExitCode.Done;
        });
        return command;
    }
}
