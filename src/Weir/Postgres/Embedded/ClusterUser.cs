using System.Diagnostics;
using Weir.Errors;

namespace Weir.Postgres.Embedded;

/// <summary>
/// Whom the cluster belongs to. PostgreSQL refuses to run as root, so root gives it to an account that can do nothing else;
/// anybody else runs it as himself.
/// </summary>
internal sealed record ClusterUser
{
    private enum Way
    {
        Self,
        Named,
        SetPriv,
        Unshare,
    }

    private readonly Way _way;

    private ClusterUser(Way way, string name) => (_way, Name) = (way, name);

    /// <summary>The account that owns the files.</summary>
    public string Name { get; }

    /// <summary>The account for a new cluster.</summary>
    public static ClusterUser Choose()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return new ClusterUser(Way.Self, Environment.UserName);
        }

        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet(StringComparer.Ordinal);
        return accounts.Contains("postgres") ? new ClusterUser(Way.Named, "postgres")
            : accounts.Contains("nobody") && Tool.Find("setpriv") is not null ? new ClusterUser(Way.SetPriv, "nobody")
            // A user namespace in which root looks like somebody: enough for PostgreSQL, though the files stay root's.
            : Tool.Find("unshare") is not null ? new ClusterUser(Way.Unshare, "root")
            : throw new WeirException(ErrorCode.NotSupported,
                "PostgreSQL refuses to run as root, and there is no account for it: "
                + "create one named postgres, or run Weir as an ordinary user.");
    }

    /// <summary>The account that a cluster already belongs to: a better one may have come since, but the files are that one's.</summary>
    public static async Task<ClusterUser> OwnerOfAsync(string cluster, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return Choose();
        }

        var result = await Tool.RunAsync("stat", ["-c", "%U", cluster], cancellationToken);
        return result.Output.Trim() switch
        {
            "postgres" => new ClusterUser(Way.Named, "postgres"),
            "nobody" => new ClusterUser(Way.SetPriv, "nobody"),
            "root" => new ClusterUser(Way.Unshare, "root"),
            var other => throw new WeirException(ErrorCode.Conflict,
                $"The cluster {cluster} belongs to {other}, as whom root does not run it.",
                $"Run Weir as {other}, or give the files to postgres."),
        };
    }

    /// <summary>The start of a program as this user, in a directory that everybody can enter.</summary>
    public ProcessStartInfo Start(string file, params IEnumerable<string> arguments)
    {
        var start = _way switch
        {
            Way.Self => new ProcessStartInfo(file, arguments),
            Way.Named => new ProcessStartInfo(file, arguments) { UserName = Name },
            Way.SetPriv => new ProcessStartInfo("setpriv", ["--reuid", Name, "--regid", "nogroup", "--clear-groups", file, .. arguments]),
            Way.Unshare => new ProcessStartInfo("unshare", ["--user", "--map-user=1000", "--map-group=1000", file, .. arguments]),
            _ => throw new UnreachableException(),
        };
        start.WorkingDirectory = "/";
        start.Environment["HOME"] = "/";
        return start;
    }

    /// <summary>Makes a directory that this user alone may enter.</summary>
    public async Task MakeDirectoryAsync(string path, CancellationToken cancellationToken)
    {
        string[] owner = _way is Way.Named or Way.SetPriv ? ["-o", Name] : [];
        var result = await Tool.RunAsync("install", ["-d", "-m", "0700", .. owner, path], cancellationToken);
        if (!result.Succeeded)
        {
            throw new WeirException(ErrorCode.Internal, $"The directory {path} cannot be made: {result.LastLine}");
        }
    }

    /// <summary>Whether this user can enter the directory and run the program: tried, since modes alone do not say.</summary>
    public async Task<bool> CanReachAsync(string directory, string program, CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync(Start("sh", "-c", "cd \"$1\" && test -x \"$2\"", "sh", directory, program), cancellationToken);
        return result.Succeeded;
    }
}
