using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Nodes;
using Weir.Postgres;

namespace Weir.Tests.Infrastructure;

/// <summary>Good credentials at a replica, one of each kind.</summary>
internal static class KnownCallers
{
    /// <summary>The owner's access token, where Weir is the issuer.</summary>
    public static string PersonToken(RunningWeir weir) =>
        weir.Services.GetRequiredService<PersonTokens>().Issue(weir.World.OwnerId, "owner@example.test");

    public static async Task<string> OrganizationKeyAsync(RunningWeir weir)
    {
        var (text, id, secret) = OrganizationKey.Create();
        await weir.World.CallAsync(
            "select public.create_organization_api_key($1, 'known', $2, $3, $4)",
            Sql.Uuid(weir.World.OrganizationId), Sql.Text(id), Sql.Text(secret),
            Sql.Array(NpgsqlTypes.NpgsqlDbType.Text, ["audit.read", "servers.read", "usage.read"]));
        return text;
    }

    public static async Task<string> NodeKeyAsync(RunningWeir weir, string name)
    {
        var registry = weir.Services.GetRequiredService<NodeRegistry>();
        var token = await NodeTokenAsync(weir, name);
        var request = new RegisterRequest(token, "http://127.0.0.1:1", new string('k', 40), 1, "none", ["process"], "x", null);
        return (await registry.RegisterAsync(request, System.Net.IPAddress.Loopback, CancellationToken.None)).NodeKey;
    }

    public static Task<string> NodeTokenAsync(RunningWeir weir, string name) =>
        weir.Services.GetRequiredService<NodeRegistry>().IssueTokenAsync(name, null, TimeSpan.FromMinutes(5), CancellationToken.None);
}
