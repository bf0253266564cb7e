using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Keys;
using Weir.Postgres;
using Weir.Postgres.Doctor;

namespace Weir.Nodes;

/// <summary>Asks each registered node at the address that it gave, as Weir does for each call. Changes nothing.</summary>
internal static class NodeDoctor
{
    private const string Fix =
        "Check from this host that the address can be reached (advertise of weir-node, a firewall, the certificate), and that the node "
            + "runs there.";

    /// <param name="keyring">That the nodes' keys were sealed with; null: there is none here, and nobody is asked.</param>
    /// <returns>Nothing where the database does not answer, which <see cref="DatabaseDoctor"/> says.</returns>
    public static async Task<IReadOnlyList<Diagnosis>> ExamineAsync(
        DatabaseConfig config, Keyring? keyring, HttpMessageInvoker http, CancellationToken ct)
    {
        if (config.EngineUrl is not { } engine || keyring is null)
        {
            return [];
        }

        try
        {
            // The other login has nothing to do here; a pool that is not used does not connect.
            await using var databases = Databases.Open(config with { Url = engine, ConnectTimeoutSeconds = 5 });
            var nodes = await new NodesQueries(databases).ConnectionsAsync(ct);
            var client = new NodeClient(http, TimeProvider.System);
            return await Task.WhenAll(nodes.Select(n => AskAsync(n, keyring, client, ct)));
        }
        catch (Exception e) when (e is WeirException or NpgsqlException)
        {
            return [];
        }
    }

    private static async Task<Diagnosis> AskAsync(StoredNode node, Keyring keyring, NodeClient client, CancellationToken ct)
    {
        var check = $"node {node.Name}";
        if (node.ApiUrl is not { } apiUrl)
        {
            return new Diagnosis(check, "has not spoken to this Weir since the restore, so nothing is asked of it",
                "Start it, with this Weir as its weir-url.");
        }

        var where = node.IsOnline ? apiUrl : $"{apiUrl} (offline: Weir hears nothing of it)";
        if (NodeKeys.Open(keyring, node.Id, node.SealedApiKey) is not { } key)
        {
            return new Diagnosis(check, $"{where}: its key does not open with this keyring",
                "Use the keyring that the node was registered with, or register the node anew.");
        }

        try
        {
            var status = await client.StatusAsync(new NodeConnection(node.Id, node.Name, new Uri(apiUrl), key, node.IsOnline), ct);
            return status.Problem is { } problem
                ? new Diagnosis(check, $"{where}: {problem}", "Mend what the node says, and start it again.")
                : new Diagnosis(
                    check, $"{where}: answers, version {status.Version}, isolation {status.Isolation}, {status.Servers} servers");
        }
        catch (NodeCallException e)
        {
            return new Diagnosis(check, $"{where}: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}", Fix);
        }
    }
}
