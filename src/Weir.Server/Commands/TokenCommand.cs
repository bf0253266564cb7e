using System.CommandLine;
using Weir.Configuration;
using Weir.Errors;
using Weir.Server.Hosting;
using Weir.Server.Up;

namespace Weir.Server.Commands;

/// <summary><c>weir token</c>: signs a person in at the embedded issuer, and prints the access token.</summary>
internal static class TokenCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly Option<string?> Email = new("--email")
    {
        Description = "Whose token; the password is read from standard input, never from the command line. [default: the demo's login]",
        HelpName = "ADDRESS",
    };
    private static readonly Option<string?> Url =
        new("--url") { Description = "Where Weir is; wants --email. [default: what runs on the data directory]", HelpName = "URL" };
    private static readonly Option<bool> Json =
        new("--json") { Description = "Print the whole session (access_token, refresh_token, expires_at, user) as one JSON line." };

    public static Command Create()
    {
        var command = new Command("token", """
            Sign in with a password and print an access token, which is good for an hour: for weir chat --token, weir agent key, and
            Authorization: Bearer. Only where Weir is its own issuer; elsewhere people get their tokens where they sign in.
            """)
        {
            Email, Url, Json, UpCommand.Data, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var (to, email, password) = await ResolveAsync(parsed, stop);
            using var weir = new WeirClient(to, Timeout);
            var session = await weir.SignInAsync(email, password, stop);
            await Console.Out.WriteLineAsync(
                parsed.GetValue(Json) ? session.GetRawText() : session.GetProperty("access_token").GetString());
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<(UpConnection To, string Email, string Password)> ResolveAsync(ParseResult parsed, CancellationToken ct)
    {
        var url = WeirClient.ReadUrl(parsed.GetValue(Url));
        if (parsed.GetValue(Email) is { } email)
        {
            return (url is null ? PersonOptions.FindRunning(parsed) : PersonOptions.At(url, token: null), email,
                await CommandRun.PasswordAsync(ct));
        }

        var running = url is null
            ? PersonOptions.FindRunning(parsed) : throw new ConfigException(["--email: it must be given with --url."]);
        return running is { Email: { } demo, Password: { } known } ? (running, demo, known)
            : throw new WeirException(ErrorCode.NotSupported, "There is no demo login here.", "Give --email, or sign in where people do.");
    }
}

/// <summary>As whom a command asks a running Weir: the demo's person, or the one of a token for an address that is named with it.</summary>
internal static class PersonOptions
{
    public static Option<string?> Url { get; } =
        new("--url") { Description = "Where Weir is; wants --token. [default: what runs on the data directory]", HelpName = "URL" };

    public static Option<string?> Token { get; } =
        new("--token") { Description = "A person's access token, e.g. of weir token. [default: the demo's login]", HelpName = "TOKEN" };

    /// <exception cref="ConfigException">An address without a token: the demo's is for no other address.</exception>
    public static UpConnection Resolve(ParseResult parsed)
    {
        var (url, token) = (WeirClient.ReadUrl(parsed.GetValue(Url)), parsed.GetValue(Token));
        if (url is not null)
        {
            return token is null ? throw new ConfigException(["--token: it must be given with --url."]) : At(url, token);
        }

        var running = FindRunning(parsed);
        return token is not null ? At(running.Url, token)
            : running is { UserToken: null, Email: null }
                ? throw new ConfigException(["--token: it must be given, for people sign in elsewhere."])
            : running;
    }

    public static UpConnection At(Uri url, string? token) =>
        new(url, AgentId: null, WorkspaceId: null, ChannelId: null, token, Email: null, Password: null);

    public static UpConnection FindRunning(ParseResult parsed)
    {
        var directory = parsed.GetValue(UpCommand.Data) ?? WeirConfig.Load(parsed.GetValue(CommandRun.Config)).DataDirectory;
        return UpConnection.Find(directory)
            ?? throw new WeirException(
                ErrorCode.Unavailable, $"Nothing runs on {directory}.", "Start it with weir up, or say where it is with --url.");
    }
}
