using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Packages;

/// <summary>
/// Packages, each installed once per name and version. An install happens beside its place and is renamed when it is complete: a
/// directory that exists is whole. Scripts of packages never run. The files belong to the node, so no child can change them.
/// </summary>
internal sealed partial class PackageStore
{
    private const int ReasonLines = 8;
    private static readonly UnixFileMode ReadableByAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string _root;
    private readonly string _npm;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Lazy<Task<string>>> _installs = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _atOnce = new(2);

    public PackageStore(string dataDirectory, string npm, TimeSpan timeout, TimeProvider time)
    {
        _root = Path.Combine(dataDirectory, "packages");
        _npm = npm;
        _timeout = timeout;
        _time = time;
        Directory.CreateDirectory(_root);
        File.SetUnixFileMode(_root, ReadableByAll);
        foreach (var left in Directory.EnumerateDirectories(_root, ".staging-*"))
        {
            Directory.Delete(left, recursive: true);
        }
    }

    /// <summary>The directory of the package itself, after installing it if it is not there.</summary>
    /// <exception cref="InstanceFailure">npm failed; what it printed last is for the instance's log.</exception>
    public async Task<string> EnsureAsync(PackageSpec package, CancellationToken cancellation)
    {
        var root = Path.Combine(_root, package.DirectoryName);
        if (!Directory.Exists(root))
        {
            // One install serves all that wait; it is not the first waiter's to cancel.
            var install = _installs.GetOrAdd(package.DirectoryName, _ => new Lazy<Task<string>>(() => InstallAsync(package, root)));
            await install.Value.WaitAsync(cancellation);
        }

        return Path.Combine(root, "node_modules", package.Name);
    }

    private async Task<string> InstallAsync(PackageSpec package, string root)
    {
        await _atOnce.WaitAsync(CancellationToken.None);
        var staging = Path.Combine(_root, ".staging-" + Guid.CreateVersion7(_time.GetUtcNow()).ToString("N"));
        try
        {
            Directory.CreateDirectory(staging);
            await File.WriteAllTextAsync(Path.Combine(staging, "package.json"), """{"private":true}""");
            var (exitCode, output) = await RunNpmAsync(staging, package);
            if (exitCode is null)
            {
                throw Failed(
                    NodeErrors.InstallTimedOut,
                    $"{package} was not installed within {_timeout.TotalSeconds:0} s (install-timeout).",
                    output);
            }

            if (exitCode != 0)
            {
                throw Failed(package, output);
            }

            if (!File.Exists(Path.Combine(staging, "node_modules", package.Name, "package.json")))
            {
                throw Failed(NodeErrors.PackageInstallFailed, $"npm reported success, but {package} is not there.", output);
            }

            File.SetUnixFileMode(staging, ReadableByAll);
            Directory.Move(staging, root);
            return root;
        }
        finally
        {
            if (Directory.Exists(staging))
            {
                Directory.Delete(staging, recursive: true);
            }

            _atOnce.Release();
            _installs.TryRemove(package.DirectoryName, out _);
        }
    }

    /// <summary>No exit code: it did not end in time.</summary>
    private async Task<(int? ExitCode, string Output)> RunNpmAsync(string staging, PackageSpec package)
    {
        // The umask of the service may hide files from others; the children are others.
        var info = new ProcessStartInfo("sh")
        {
            WorkingDirectory = staging,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] command =
        [
            "-c", "umask 022; exec \"$@\"", "sh", _npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev",
            "--no-update-notifier",
            "--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=4000", "--loglevel=error", "--logs-max=0",
            "--save-exact",
            "--prefix", staging, "--", package.ToString(),
        ];
        foreach (var argument in command)
        {
            info.ArgumentList.Add(argument);
        }

        foreach (var name in info.Environment.Keys.Where(k => k.StartsWith("WEIR_", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            info.Environment.Remove(name);
        }

        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(_timeout, _time);
        var output = Task.WhenAll(OutputTail.ReadAsync(process.StandardOutput), OutputTail.ReadAsync(process.StandardError));
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, string.Concat(await output));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            return (null, string.Concat(await output));
        }
    }

    /// <summary>npm's error codes are stable; its sentences are not.</summary>
    private static InstanceFailure Failed(PackageSpec package, string output) => ErrorCode().Match(output).Groups["code"].Value switch
    {
        "E404" or "ETARGET" => Failed(NodeErrors.PackageNotFound, $"The package registry has no {package}.", output),
        "ENOTFOUND" or "EAI_AGAIN" or "ECONNREFUSED" or "ECONNRESET" or "ETIMEDOUT" or "ENETUNREACH" or "EHOSTUNREACH"
            or "ERR_SOCKET_TIMEOUT" =>
            Failed(NodeErrors.RegistryUnreachable, $"The node cannot reach the package registry, so {package} was not installed.", output),
        _ => Failed(NodeErrors.PackageInstallFailed, $"npm could not install {package}; the server's log has its last lines.", output),
    };

    private static InstanceFailure Failed(string code, string message, string output) => new(code, message, isFinal: true)
    {
        Printed = ("npm", string.Join('\n', output.Split('\n').Select(Reason).OfType<string>().TakeLast(ReasonLines))),
    };

    /// <summary>
    /// What a line of npm's says to a reader: not its stack, nor the fields of its error, nor the log file that he cannot open.
    /// </summary>
    private static string? Reason(string line)
    {
        const string Prefix = "npm error";
        var text = line.StartsWith(Prefix, StringComparison.Ordinal) ? line[Prefix.Length..] : line;
        var isNoise = text.StartsWith("  ", StringComparison.Ordinal) || text.StartsWith("npm warn", StringComparison.Ordinal)
            || text.Contains("A complete log of this run", StringComparison.Ordinal) || text.Trim() is "" or "{" or "}";
        return isNoise ? null : text.Trim();
    }

    [GeneratedRegex(@"^npm (error|ERR!) code (?<code>[A-Z0-9_]{1,40})\r?$",
        RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ErrorCode();
}
