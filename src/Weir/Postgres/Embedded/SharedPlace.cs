using System.Security.Cryptography;
using System.Text;
using Weir.Configuration;

namespace Weir.Postgres.Embedded;

/// <summary>
/// Where the things of other accounts live when Weir is root: the cluster, the node's children, the demo folder. In the data
/// directory; where those accounts cannot enter that (it is below <c>/root</c>, say), in <c>/var/lib/weir</c>.
/// </summary>
internal static class SharedPlace
{
    public static async Task<string> FindAsync(DataDirectory data, CancellationToken cancellationToken)
    {
        var outside = $"/var/lib/weir/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(data.Path)))[..12]}";
        // What was begun there stays there, whatever the modes of the directories say today.
        if (Environment.IsPrivilegedProcess
            && (Directory.Exists(outside) || !await ClusterUser.Choose().CanReachAsync(data.Path, "/bin/sh", cancellationToken)))
        {
            DataDirectory.Create(outside);
            return outside;
        }

        return data.Path;
    }
}
