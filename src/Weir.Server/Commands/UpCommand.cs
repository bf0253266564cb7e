using System.CommandLine;
using System.CommandLine.Parsing;
using Weir.Configuration;
using Weir.Server.Hosting;
using Weir.Server.Up;

namespace Weir.Server.Commands;

/// <summary><c>weir up</c>: everything on one machine.</summary>
internal static class UpCommand
{
    public static Option<string?> Data { get; } = new("--data") { Description = "The data directory. [default: .weir]", HelpName = "DIR" };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON line when ready." };
    private static readonly Option<bool> Detach = new("--detach") { Description = "Return when ready; weir down stops it." };
    private static readonly Option<int?> Port =
        new("--port") { Description = "The port to listen on. [default: 8080, or the next free one]", HelpName = "PORT" };
    private static readonly Option<Guid?> OwnerUser =
        new("--owner-user") { Description = "On a Supabase database: the user who owns the demo organization.", HelpName = "UUID" };
    private static readonly Option<string?> JwtSecret = new("--jwt-secret")
    {
        Description = "On a Supabase database: the project's JWT secret. Better WEIR_AUTH_JWT_SECRET: command lines are public.",
        HelpName = "SECRET",
    };
    private static readonly Option<string?> Jwks = new("--jwks")
    {
        Description = "On a Supabase database: the URL of the project's JWKS, instead of a secret; needs WEIR_AUTH_ISSUER too.",
        HelpName = "URL",
    };

    public static Command Create()
    {
        var command = new Command("up", """
            Start everything: a database (or the one of WEIR_DATABASE_URL, WEIR_ENGINE_DATABASE_URL and WEIR_OWNER_DATABASE_URL), Weir, a node,
            and on the first run a demo organization whose agent may use real MCP servers. Runs until SIGTERM or Ctrl-C.
            """)
        {
            Json, Detach, Port, Data, OwnerUser, JwtSecret, Jwks, CommandRun.Config,
        };
        Port.Validators.Add(RefuseImpossiblePort);
        command.Run(async (parsed, stop) =>
        {
            var options = new UpOptions(
                parsed.GetValue(Json), parsed.GetValue(Port), parsed.GetValue(OwnerUser), Configure(parsed), Console.Out, Console.Error);
            return parsed.GetValue(Detach)
                ? await Detached.StartAsync(options.Config.DataDirectory, options.Json, parsed.Tokens, stop)
                : await UpRun.RunAsync(options, stop);
        });
        return command;
    }

    private static WeirConfig Configure(ParseResult parsed)
    {
        var config = WeirConfig.Load(parsed.GetValue(CommandRun.Config));
        config = config with { DataDirectory = Path.GetFullPath(parsed.GetValue(Data) ?? config.DataDirectory) };
        return config with
        {
            Auth = config.Auth.With(parsed.GetValue(JwtSecret), parsed.GetValue(Jwks)),
        };
    }

    private static void RefuseImpossiblePort(OptionResult result)
    {
        if (result.Tokens is [{ Value: var text }] && (!int.TryParse(text, out var port) || port is < 1 or > 65535))
        {
            result.AddError($"--port wants a number from 1 to 65535, not \"{text}\".");
        }
    }
}
