using System.Net;
using System.Net.Sockets;
using Weir.Configuration;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary>Exit 2 on usage, 1 on failure with one line that says what to do; nothing is started in either case.</summary>
public sealed class ExitCodeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-exit-").FullName;

    // As root, others must be able to pass through, or `up` would keep its data in /var/lib/weir.
    public ExitCodeTests() =>
        File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("up", "--help")]
    [InlineData("down", "--help")]
    [InlineData("serve", "--help")]
    [InlineData("migrate", "--help")]
    [InlineData("node", "--help")]
    [InlineData("node", "register", "--help")]
    [InlineData("platform-admin", "--help")]
    [InlineData("platform-admin", "add", "--help")]
    [InlineData("chat-tools", "--help")]
    [InlineData("stop-all", "--help")]
    [InlineData("start-all", "--help")]
    [InlineData("doctor", "--help")]
    [InlineData("token", "--help")]
    [InlineData("agent", "key", "--help")]
    [InlineData("agent", "key", "create", "--help")]
    [InlineData("--help")]
    public async Task Help_is_no_error(params string[] arguments)
    {
        var (code, output, errors) = await RunningUp.RunAsync(arguments);

        code.ShouldBe(0, errors);
        output.ShouldContain("Usage:");
        errors.ShouldBeEmpty();
    }

    [Theory]
    [InlineData]
    [InlineData("ups")]
    [InlineData("up", "--port")]
    [InlineData("up", "--port", "0")]
    [InlineData("up", "--port", "http")]
    [InlineData("up", "--owner-user", "ada")]
    [InlineData("up", "--jwt-secret", "short")]
    [InlineData("up", "extra")]
    [InlineData("up", "--config", "/nonexistent.json")]
    [InlineData("serve")]
    [InlineData("migrate")]
    [InlineData("node")]
    [InlineData("node", "register")]
    [InlineData("node", "register", "n1")]
    [InlineData("node", "register", "n1", "--valid-for", "0")]
    [InlineData("platform-admin")]
    [InlineData("chat-tools")]
    [InlineData("chat-tools", "maybe")]
    [InlineData("chat-tools", "off")]
    [InlineData("stop-all")]
    [InlineData("start-all")]
    [InlineData("doctor")]
    [InlineData("token", "--url", "http://127.0.0.1:1")]
    [InlineData("agent", "key", "create")]
    [InlineData("agent", "key", "create", "helper")]
    [InlineData("agent", "key", "create", "01900000-0000-7000-8000-000000000001", "--url", "http://127.0.0.1:1")]
    [InlineData("agent", "key", "create", "01900000-0000-7000-8000-000000000001", "--days", "0")]
    [InlineData("platform-admin", "add")]
    [InlineData("platform-admin", "add", "ann")]
    [InlineData("platform-admin", "add", "01900000-0000-7000-8000-000000000001")]
    public async Task Usage_exits_2(params string[] arguments)
    {
        var (code, output, errors) = await RunningUp.RunAsync(arguments);

        code.ShouldBe(2, errors);
        output.ShouldBeEmpty();
        errors.ShouldStartWith("weir: ");
    }

    [Fact]
    public async Task A_second_up_on_the_same_directory_says_so()
    {
        using var first = DataDirectory.Open(_directory);

        var (code, output, errors) = await RunningUp.RunAsync("up", "--data", _directory);

        code.ShouldBe(1);
        output.ShouldBeEmpty();
        errors.Trim().ShouldBe($"weir: Weir already runs on {_directory}, as process {Environment.ProcessId}. "
            + $"Stop it with ./weir down --data {_directory}, or choose another directory with --data.");
    }

    [Fact]
    public async Task A_second_detached_up_says_so_too()
    {
        using var first = DataDirectory.Open(_directory);

        var (code, output, errors) = await RunningUp.RunAsync("up", "--detach", "--data", _directory);

        code.ShouldBe(1);
        output.ShouldBeEmpty();
        errors.ShouldStartWith("weir: Weir already runs on");
    }

    [Fact]
    public async Task A_port_that_was_asked_for_and_is_taken_is_one_line()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        var (code, _, errors) = await RunningUp.RunAsync("up", "--port", $"{port}", "--data", _directory);

        code.ShouldBe(1);
        errors.Trim().ShouldBe($"weir: Port {port} is taken. Stop what listens there, or choose another one with --port.");
    }

    [Fact]
    public async Task A_database_that_does_not_answer_is_one_line()
    {
        var config = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(config, """
            { "database": { "url": "postgresql://weir_gateway:p@127.0.0.1:1/x", "engineUrl": "postgresql://weir_engine:p@127.0.0.1:1/x", "ownerUrl": "postgresql://o:p@127.0.0.1:1/x", "startTimeoutSeconds": 0 } }
            """, TestContext.Current.CancellationToken);

        foreach (var arguments in new[]
        {
            new[] { "migrate", "--config", config },
            ["serve", "--config", config],
            ["up", "--config", config, "--data", Path.Combine(_directory, "d")],
        })
        {
            var (code, _, errors) = await RunningUp.RunAsync(arguments);

            code.ShouldBe(1, errors);
            errors.Trim().Split('\n').Last().ShouldStartWith("weir: The database does not answer");
        }
    }

    [Fact]
    public async Task Half_of_the_database_urls_is_usage()
    {
        var config = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(
            config, """{ "database": { "url": "postgresql://weir_gateway:p@127.0.0.1:1/x" } }""", TestContext.Current.CancellationToken);

        var (code, _, errors) = await RunningUp.RunAsync("up", "--config", config, "--data", Path.Combine(_directory, "d"));

        code.ShouldBe(2);
        errors.Trim().Split('\n').Select(l => l.Split(':')[1].Trim())
            .ShouldBe(["database.engineUrl (WEIR_ENGINE_DATABASE_URL)", "database.ownerUrl (WEIR_OWNER_DATABASE_URL)"]);
    }

    [Fact]
    public async Task Down_where_nothing_runs_says_so()
    {
        var (code, output, _) = await RunningUp.RunAsync("down", "--data", _directory);

        code.ShouldBe(0);
        output.Trim().ShouldBe($"Nothing runs on {_directory}.");
    }
}
