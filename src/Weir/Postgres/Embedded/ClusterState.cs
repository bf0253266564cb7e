using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Postgres.Embedded;

/// <summary>
/// What a cluster keeps across restarts besides its data: its port and its passwords, in a file that its owner alone may read.
/// </summary>
internal sealed record ClusterState(int Port, string SuperuserPassword, string OwnerPassword, string GatewayPassword, string EnginePassword)
{
    public const string FileName = "postgres.json";

    /// <param name="data">The directory that holds the file.</param>
    /// <param name="exists">Whether there is a cluster already; its passwords cannot be made anew.</param>
    public static ClusterState Load(DataDirectory data, bool exists)
    {
        var file = data.Combine(FileName);
        if (File.Exists(file))
        {
            return JsonSerializer.Deserialize<ClusterState>(File.ReadAllText(file))
                ?? throw new WeirException(ErrorCode.Internal, $"{file} is empty.");
        }

        if (exists)
        {
            throw new WeirException(ErrorCode.Conflict, $"There is a database cluster but {file}, which holds its passwords, is missing.",
                "Put the file back, or remove the cluster to start anew.");
        }

        var state = new ClusterState(FreePort(), Password(), Password(), Password(), Password());
        state.Save(data);
        return state;
    }

    /// <summary>The owner's URL of the cluster that <c>up</c> runs on a data directory; null where it has made none there.</summary>
    public static string? FindOwnerUrl(string dataDirectory)
    {
        var file = Path.Combine(dataDirectory, FileName);
        return File.Exists(file) && JsonSerializer.Deserialize<ClusterState>(File.ReadAllText(file)) is { } state
            ? DatabaseUrl.Format(
                EmbeddedPostgres.Owner, state.OwnerPassword, "127.0.0.1", state.Port, new EmbeddedPostgresOptions().Database)
            : null;
    }

    public void Save(DataDirectory data) => DataDirectory.WritePrivate(data.Combine(FileName), JsonSerializer.Serialize(this));

    /// <summary>The same port if nobody listens there, else a free one.</summary>
    public ClusterState WithUsablePort(DataDirectory data)
    {
        if (IsFree(Port))
        {
            return this;
        }

        var moved = this with { Port = FreePort() };
        moved.Save(data);
        return moved;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // Letters and digits only: it goes into URLs.
    private static string Password() =>
        RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 32);
}
