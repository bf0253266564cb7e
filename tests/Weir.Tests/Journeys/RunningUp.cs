using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>`weir up` as a newcomer runs it: its own process, its own data directory, its own PostgreSQL, the demo's npm servers.</summary>
public class RunningUp : IAsyncLifetime
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);
    private Process? _process;
    private Task<string> _errors = Task.FromResult("");

    /// <summary>npm finds nobody there.</summary>
    internal static IReadOnlyDictionary<string, string> WithoutRegistry { get; } =
        new Dictionary<string, string> { ["npm_config_registry"] = "http://127.0.0.1:9" };

    /// <summary>Variables of `up` besides the tests' own.</summary>
    private protected virtual IReadOnlyDictionary<string, string> Variables { get; } = new Dictionary<string, string>();

    /// <summary>Options of `up` besides the tests' own.</summary>
    private protected virtual IReadOnlyList<string> Options { get; } = [];

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("weir-up-").FullName;

    public JsonElement Report { get; private set; }

    public TimeSpan StartedWithin { get; private set; }

    public int ProcessId => _process!.Id;

    public string DemoFolder => Path.Combine(Directory, "demo");

    public string this[string member] => Report.GetProperty(member).GetString()!;

    public virtual async ValueTask InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            // PostgreSQL's account must be able to pass through, or the data goes to /var/lib/weir.
            File.SetUnixFileMode(Directory, File.GetUnixFileMode(Directory) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }

        await StartAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }

        _process?.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    public async Task StartAsync()
    {
        var started = TimeProvider.System.GetTimestamp();
        _process = Process.Start(Command(Variables, ["up", "--json", "--data", Directory, .. Options]))!;
        using var timeout = new CancellationTokenSource(Timeout);
        _errors = _process.StandardError.ReadToEndAsync(CancellationToken.None);
        var line = await _process.StandardOutput.ReadLineAsync(timeout.Token)
            ?? throw new InvalidOperationException("weir up printed nothing: " + await _errors);
        Report = JsonElement.Parse(line);
        StartedWithin = TimeProvider.System.GetElapsedTime(started);
    }

    /// <summary>As its user stops it; its exit code.</summary>
    public async Task<int> StopAsync()
    {
        await RunAsync("down", "--data", Directory);
        await _process!.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Its end, which comes by itself.</summary>
    internal async Task<(int ExitCode, string Errors)> EndAsync()
    {
        using var timeout = new CancellationTokenSource(Timeout);
        await _process!.WaitForExitAsync(timeout.Token);
        return (_process.ExitCode, await _errors);
    }

    /// <summary>SIGKILL: nothing in the process gets to clean up.</summary>
    public async Task KillAsync()
    {
        _process!.Kill(entireProcessTree: false);
        await _process.WaitForExitAsync();
    }

    /// <summary>Another command of the program, to its end.</summary>
    public static Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments) =>
        RunAsync(new Dictionary<string, string>(), arguments);

    internal static Task<(int ExitCode, string Output, string Errors)> RunAsync(
        IReadOnlyDictionary<string, string> variables, params string[] arguments) =>
        RunAsync(variables, input: "", arguments);

    /// <summary>With something on its standard input, as a password.</summary>
    internal static Task<(int ExitCode, string Output, string Errors)> RunWithInputAsync(string input, params string[] arguments) =>
        RunAsync(new Dictionary<string, string>(), input, arguments);

    private static async Task<(int ExitCode, string Output, string Errors)> RunAsync(
        IReadOnlyDictionary<string, string> variables, string input, string[] arguments)
    {
        var start = Command(variables, arguments);
        start.RedirectStandardInput = true;
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Drives one of the unmodified clients in tests/clients.</summary>
    internal async Task<JsonElement> ClientAsync(string script, object steps, params string[] more)
    {
        var answer = await NodeScript.RunAsync(script, [this["mcp"], this["agentKey"], JsonSerializer.Serialize(steps), .. more]);
        return answer;
    }

    /// <summary>What is in the cluster, past every policy.</summary>
    internal async Task<IReadOnlyList<T>> LookAsync<T>(string sql, Func<NpgsqlDataReader, T> map)
    {
        using var secrets = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Directory, "postgres.json")));
        var connection = DatabaseUrl.Parse(this["databaseUrl"]);
        connection.Username = "weir_superuser";
        connection.Password = secrets.RootElement.GetProperty("SuperuserPassword").GetString();
        connection.Pooling = false;
        await using var source = NpgsqlDataSource.Create(connection.ConnectionString);
        return await source.QueryAsync(sql, [], map, CancellationToken.None);
    }

    internal Task<IReadOnlyList<LogRow>> LogAsync() => LookAsync(
        "select phase, kind, instance_name, item, reason, outcome, id from public.mcp_interaction_logs order by created_at, id, phase",
        r =>
            new LogRow(r.GetString(0), r.GetString(1), r.GetNullableString(2), r.GetNullableString(3), r.GetNullableString(4),
                r.GetNullableString(5), r.GetGuid(6)));

    internal static ProcessStartInfo Command(IReadOnlyDictionary<string, string> variables, params string[] arguments)
    {
        var program = Path.Combine(Repository.Root, "artifacts/bin/Weir.Server/release/weir.dll");
        var start = new ProcessStartInfo(
            "dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return start;
    }
}

/// <summary>Scripts of tests/clients.</summary>
internal static class NodeScript
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);

    private static string Clients { get; } = Repository.PathOf("tests/clients");

    /// <summary>The Node 22 that npm has as a package.</summary>
    public static string Node22 { get; } = Path.Combine(
        Clients,
        $"node_modules/node-linux-{(System.Runtime.InteropServices.RuntimeInformation.OSArchitecture
            == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "x64")}/bin/node");

    /// <param name="node22">supabase-js throws on Node 20.</param>
    public static async Task<JsonElement> RunAsync(string script, string[] arguments, bool node22 = false)
    {
        using var process = Process.Start(new ProcessStartInfo(node22 ? Node22 : "node", [script, .. arguments])
        {
            WorkingDirectory = Clients,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        using var timeout = new CancellationTokenSource(Timeout);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{script} has not ended within {Timeout.TotalSeconds:0} s: {await errors}", e);
        }

        var text = await output;
        return process.ExitCode == 0
            ? JsonElement.Parse(text) : throw new InvalidOperationException($"{script} ended with {process.ExitCode}: {await errors}");
    }
}
