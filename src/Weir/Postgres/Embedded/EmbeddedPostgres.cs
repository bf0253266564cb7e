using Microsoft.Extensions.Logging;
using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Telemetry;

namespace Weir.Postgres.Embedded;

/// <summary>
/// A PostgreSQL of our own, in the data directory: it listens on loopback with generated passwords, is kept across restarts,
/// is started again when it dies, and ends with this process however that ends.
/// </summary>
internal sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const string Superuser = "weir_superuser";
    internal const string Owner = "weir_owner";

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(60);

    private readonly EmbeddedPostgresOptions _options;
    private readonly ClusterUser _user;
    private readonly string _root;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly ProgramWatch _programs;
    private readonly CancellationTokenSource _stopping = new();
    private ClusterState _state;
    private Lifeline? _server;
    private Task _supervision = Task.CompletedTask;
    private Task _rotation = Task.CompletedTask;

    private EmbeddedPostgres(
        EmbeddedPostgresOptions options, PostgresBinaries binaries, ClusterUser user, string root, ClusterState state,
        ILogger logger, TimeProvider time)
    {
        (_options, Binaries, _user, _root, _state, _logger, _time) = (options, binaries, user, root, state, logger, time);
        _programs = new ProgramWatch(binaries, options.LookEvery, TryProgramsAsync, logger, time);
    }

    public PostgresBinaries Binaries { get; }

    public int Port => _state.Port;

    /// <summary>The migrator's URL: owner of the database, neither superuser nor bypassing row-level security.</summary>
    public string OwnerUrl => Url(Owner, _state.OwnerPassword, _options.Database);

    public string GatewayUrl => Url("weir_gateway", _state.GatewayPassword, _options.Database);

    public string EngineUrl => Url("weir_engine", _state.EnginePassword, _options.Database);

    /// <summary>For making databases, roles and extensions; no part of Weir that serves ever has it.</summary>
    public string SuperuserUrl(string database) => Url(Superuser, _state.SuperuserPassword, database);

    private string Cluster => Path.Combine(_root, "data");

    private string Log => Path.Combine(_root, "log");

    /// <summary>Finds or installs the programs, makes the cluster where there is none, and returns when it answers.</summary>
    /// <exception cref="WeirException">With what to do about it.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(
        DataDirectory data, EmbeddedPostgresOptions options, ILogger logger, TimeProvider time, CancellationToken cancellationToken)
    {
        var root = Path.Combine(options.Place ?? await SharedPlace.FindAsync(data, cancellationToken), "postgres");
        // Before the account is chosen, since the package brings one.
        var (binaries, exists) = await BinariesAsync(root, options.Programs, logger, cancellationToken);
        var user = exists ? await ClusterUser.OwnerOfAsync(Path.Combine(root, "data"), cancellationToken) : ClusterUser.Choose();
        await user.MakeDirectoryAsync(root, cancellationToken);
        var postgres = new EmbeddedPostgres(options, binaries, user, root, ClusterState.Load(data, exists), logger, time);
        try
        {
            await postgres.BeginAsync(data, exists, cancellationToken);
            return postgres;
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _supervision.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _rotation.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_server is { } server)
        {
            server.LetGo();
            await server.Ended.WaitAsync(StopTimeout, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            server.Dispose();
            _server = null;
        }
    }

    private static async Task<(PostgresBinaries Binaries, bool Exists)> BinariesAsync(
        string root, PostgresBinaries? given, ILogger logger, CancellationToken cancellationToken)
    {
        var version = Path.Combine(root, "data", "PG_VERSION");
        int? major = File.Exists(version)
            ? int.Parse((await File.ReadAllTextAsync(version, cancellationToken)).Trim(), System.Globalization.CultureInfo.InvariantCulture)
            : null;
        var installer = new PostgresInstaller(Path.Combine(Path.GetDirectoryName(root)!, "programs"), logger);
        var binaries = given ?? await PostgresBinaries.FindAsync(major, cancellationToken)
            ?? await installer.FindAsync(major, cancellationToken)
            ?? await installer.InstallAsync(major, cancellationToken);
        return (binaries, major is not null);
    }

    private async Task BeginAsync(DataDirectory data, bool exists, CancellationToken cancellationToken)
    {
        if (!exists)
        {
            await InitializeAsync(cancellationToken);
        }

        await StalePid.RepairAsync(Cluster, _time, cancellationToken);
        _state = _state.WithUsablePort(data);
        await LaunchAsync(cancellationToken);
        await BootstrapAsync(cancellationToken);
        _supervision = SuperviseAsync(_stopping.Token);
        _rotation = LogRotation.RunAsync(Log, RotateLogAsync, _time, _stopping.Token);
    }

    /// <summary>As the cluster's user, whose directory it is.</summary>
    internal Task RotateLogAsync(CancellationToken cancellationToken) =>
        Tool.RunAsync(_user.Start("sh", "-c", LogRotation.Script, "sh", Log), cancellationToken);

    private async Task InitializeAsync(CancellationToken cancellationToken)
    {
        // Made beside its place and moved when it is whole: a start that is killed in between leaves nothing half.
        var unfinished = Path.Combine(_root, "unfinished");
        await RunAsUserAsync(_user.Start("rm", "-rf", unfinished), "cleaning up", cancellationToken);
        // The password travels by a file that only the user can read; another user's pipe cannot be opened by name.
        var passwordFile = Path.Combine(_root, "password");
        await RunAsUserAsync(
            _user.Start("sh", "-c", "umask 077; printf %s \"$WEIR_PASSWORD\" >\"$1\"", "sh", passwordFile), "preparing", cancellationToken,
            ("WEIR_PASSWORD", _state.SuperuserPassword));
        await RunAsUserAsync(
            _user.Start(Binaries.InitDb, "-D", unfinished, "-U", Superuser, "--auth=scram-sha-256", $"--pwfile={passwordFile}",
                "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"),
            "initdb", cancellationToken);
        await RunAsUserAsync(_user.Start("sh", "-c", "rm -f \"$1\" && mv \"$2\" \"$3\"", "sh", passwordFile, unfinished, Cluster),
            "finishing", cancellationToken);
    }

    private async Task RunAsUserAsync(
        System.Diagnostics.ProcessStartInfo start, string what, CancellationToken cancellationToken,
        params (string Name, string Value)[] environment)
    {
        Binaries.AddTo(start);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var result = await Tool.RunAsync(start, cancellationToken);
        if (!result.Succeeded)
        {
            throw new WeirException(ErrorCode.Internal, $"The database cluster in {_root} could not be made ({what}): {result.LastLine}");
        }
    }

    /// <summary>Returns when the server answers; throws when it ends before that.</summary>
    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        string[] settings =
        [
            $"shared_preload_libraries={string.Join(',', EmbeddedPostgresOptions.Preloaded)}", .. _options.Settings,
            "listen_addresses=127.0.0.1", $"port={Port}", "unix_socket_directories=",
            "password_encryption=scram-sha-256", "logging_collector=off",
        ];
        _server?.Dispose();
        await _programs.RememberAsync(cancellationToken);
        var server = _server = Lifeline.Start(_user, Binaries, Log, ["-D", Cluster, .. settings.SelectMany(s => new[] { "-c", s })]);

        await using var source = NpgsqlDataSource.Create(Once(SuperuserUrl("postgres")));
        while (true)
        {
            if (server.Ended.IsCompleted)
            {
                throw new WeirException(
                    ErrorCode.Unavailable, $"PostgreSQL ended at once, with code {server.ExitCode}: {LastLogLine()}", $"Its log is {Log}.");
            }

            try
            {
                await using var connection = await source.OpenConnectionAsync(cancellationToken);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidPassword)
            {
                throw new WeirException(ErrorCode.Conflict,
                    $"The cluster in {_root} does not take the password in {ClusterState.FileName}.",
                    "Put back the file that belongs to it.", e);
            }
            catch (NpgsqlException)
            {
                // Not yet listening, or still recovering; its end is noticed above.
                await Task.Delay(TimeSpan.FromMilliseconds(25), _time, cancellationToken);
            }
        }
    }

    /// <summary>The superuser's whole work: the migrator, and a database that it owns. Everything else is the migrator's.</summary>
    private async Task BootstrapAsync(CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(Once(SuperuserUrl("postgres")));
        if (!await source.ScalarAsync<bool>(
            "select exists (select from pg_roles where rolname = $1)", [Sql.Text(Owner)], cancellationToken))
        {
            await source.ExecuteAsync(
                $"create role {Owner} login nosuperuser nobypassrls createrole password '{ScramVerifier.Compute(_state.OwnerPassword)}'",
                [], cancellationToken);
        }

        if (!await source.ScalarAsync<bool>(
            "select exists (select from pg_database where datname = $1)", [Sql.Text(_options.Database)], cancellationToken))
        {
            await source.ExecuteAsync($"create database \"{_options.Database}\" owner {Owner}", [], cancellationToken);
        }
    }

    private async Task SuperviseAsync(CancellationToken stopping)
    {
        while (true)
        {
            if (await AreProgramsReplacedAsync(_server!, stopping))
            {
                _logger.LogWarning(
                    "PostgreSQL's programs in {Directory} were replaced, as by an upgrade of its package. The database is restarted with "
                        + "them.",
                    Binaries.Directory);
                _server!.LetGo();
                await _server.Ended.WaitAsync(stopping);
            }
            else
            {
                _logger.LogError(
                    "PostgreSQL ended unasked, with code {Code}: {LastLine}. Starting it again.", _server!.ExitCode, LastLogLine());
            }

            await RelaunchAsync(stopping);
        }
    }

    /// <summary>Waits for either: true, there are other programs; false, the server ended.</summary>
    private async Task<bool> AreProgramsReplacedAsync(Lifeline server, CancellationToken stopping)
    {
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var replaced = _programs.ReplacedAsync(watching.Token);
        var first = await Task.WhenAny(server.Ended, replaced);
        await watching.CancelAsync();
        await first;
        return first == replaced;
    }

    /// <summary>
    /// Makes a cluster with the programs and throws it away: that starts them, and loads their libraries. Null, or what failed.
    /// </summary>
    private async Task<string?> TryProgramsAsync(CancellationToken cancellationToken)
    {
        var place = Path.Combine(_root, "tried");
        const string Script = """
            rm -rf "$1" && "$2" -D "$1" -N -E UTF8 --locale=C.UTF-8 --auth=reject >/dev/null; code=$?; rm -rf "$1"; exit $code
            """;
        var start = _user.Start("sh", "-c", Script, "sh", place, Binaries.InitDb);
        Binaries.AddTo(start);
        var result = await Tool.RunAsync(start, cancellationToken);
        return result.Succeeded ? null
            : result.Error.Split('\n')
                .FirstOrDefault(
                line => line.Contains("FATAL", StringComparison.Ordinal) || line.Contains("error", StringComparison.Ordinal))
            ?? result.LastLine;
    }

    private async Task RelaunchAsync(CancellationToken stopping)
    {
        for (var pause = TimeSpan.FromSeconds(1); ; pause = TimeSpan.FromSeconds(Math.Min(30, pause.TotalSeconds * 2)))
        {
            try
            {
                await LaunchAsync(stopping);
                return;
            }
            catch (WeirException e)
            {
                _logger.LogError("{Message} Trying again in {Seconds} s.", e.Message, pause.TotalSeconds);
                await Task.Delay(pause, _time, stopping);
            }
        }
    }

    private string LastLogLine()
    {
        try
        {
            return File.ReadLines(Log).LastOrDefault(line => line.Length > 0) ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private string Url(string user, string password, string database) => DatabaseUrl.Format(user, password, "127.0.0.1", Port, database);

    private static string Once(string url)
    {
        var connection = DatabaseUrl.Parse(url);
        connection.Pooling = false;
        connection.Timeout = 5;
        return connection.ConnectionString;
    }
}
