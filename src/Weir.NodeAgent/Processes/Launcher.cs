using System.Diagnostics;

namespace Weir.NodeAgent.Processes;

/// <summary>A command of an instance. Args and environment are final.</summary>
/// <param name="Uid">The organization's user, or null where the node is not root.</param>
internal sealed record LaunchSpec(
    string Program, IReadOnlyList<string> Arguments, string Directory, IReadOnlyDictionary<string, string> Environment, uint? Uid);

/// <summary>
/// Starts children: own session and process group, recorded before it runs; limits; the organization's user without any
/// privilege and no way to gain one; an environment that holds only what was declared.
/// </summary>
internal sealed class Launcher(ProcessGroups groups, ResourceLimits limits, TimeProvider time)
{
    public const string SystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private int _children;

    /// <summary>Children that run now.</summary>
    public int Children => Volatile.Read(ref _children);

    public ChildProcess Start(LaunchSpec spec)
    {
        var groupFile = groups.NewFile();
        var info = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = spec.Directory,
        };
        string[] launch = ["sh", "-c", Scripts.Launch, "weir-launch", groupFile, $"{Environment.ProcessId}"];
        string[] environment = ["sh", "-c", Scripts.Environment, "weir-environment", $"{spec.Environment.Count}"];
        string[][] chain = [
            launch, [.. limits.Command(spec.Uid is not null)], Privileges(spec.Uid), environment, [spec.Program, .. spec.Arguments],
        ];
        foreach (var argument in chain.SelectMany(part => part))
        {
            info.ArgumentList.Add(argument);
        }

        info.Environment.Clear();
        info.Environment["PATH"] = SystemPath;
        foreach (var (i, (name, value)) in spec.Environment.Index())
        {
            info.Environment[$"WEIR_ENV_{i}"] = $"{name}={value}";
        }

        var process = Process.Start(info) ?? throw new InvalidOperationException("The child did not start.");
        Interlocked.Increment(ref _children);
        var child = new ChildProcess(process, groupFile, time);
        _ = child.Exited.ContinueWith(_ => Interlocked.Decrement(ref _children), TaskScheduler.Default);
        return child;
    }

    private static string[] Privileges(uint? uid) => uid is { } u
        ? ["setpriv", $"--reuid={u}", $"--regid={u}", "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]
        : ["setpriv", "--no-new-privs", "--"];
}

/// <summary>
/// What one child may use. Enforced by the kernel (<c>prlimit</c>), each child for itself but for <paramref name="Processes"/>.
/// </summary>
/// <param name="Processes">Processes and threads of one organization's user together.</param>
/// <param name="OpenFiles">Open files of a child.</param>
/// <param name="DataBytes">Writable private memory of a child. Not the address space: V8 reserves far more of that than it ever
/// uses.</param>
/// <param name="FileBytes">The largest file that a child can write.</param>
internal sealed record ResourceLimits(long Processes = 1024, long OpenFiles = 1024, long DataBytes = 2L << 30, long FileBytes = 1L << 30)
{
    public IEnumerable<string> Command(bool isolated)
    {
        yield return "prlimit";
        yield return $"--nofile={OpenFiles}";
        yield return $"--data={DataBytes}";
        yield return $"--fsize={FileBytes}";
        yield return "--core=0";
        if (isolated)
        {
            // Counted per user: without a user of its own it would count the operator's processes.
            yield return $"--nproc={Processes}";
        }

        yield return "--";
    }
}
