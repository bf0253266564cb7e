using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Weir.Identity;
using Weir.Postgres;
using Weir.Server.Http;
using Weir.Tests.Docs;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Http;

/// <summary>
/// What each endpoint reads of a body, held to the table of docs/security.md. A new endpoint that is not in it fails here.
/// </summary>
public sealed class BodyLimitTests(EmbeddedIssuerWeir weir) : IClassFixture<EmbeddedIssuerWeir>
{
    private static readonly IReadOnlyList<BodyRow> Table = BodyRow.Of("weir");

    private IEnumerable<RouteEndpoint> Routes => weir.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>();

    [Fact]
    public void F03_every_mapped_endpoint_is_in_the_table() =>
        Routes.Select(r => r.RoutePattern.RawText!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .ShouldBe(Table.Select(r => r.Pattern).Order(StringComparer.Ordinal));

    [Fact]
    public async Task F03_of_an_unknown_caller_no_endpoint_reads_more_than_the_table_says()
    {
        string?[] unknown = [
            null, AgentKey.Create().Text, OrganizationKey.Create().Text, "a.b.c", new string('0', 64),
            $"{Guid.Empty:N}.{new string('0', 64)}",
        ];
        await Parallel.ForEachAsync(Routes, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (route, _) =>
        {
            var row = Table.Single(r => r.Pattern == route.RoutePattern.RawText);
            foreach (var bearer in unknown)
            {
                // Nothing of what was announced has come, or no more than may be read: the answer comes all the same.
                (await BodyProbe.AnnouncedAsync(weir.Url, Method(route), Path(row.Pattern), bearer, 3_000_000)).ShouldBeLessThan(
                    502, row.Pattern);
                var status = await BodyProbe.UnfinishedAsync(
                    weir.Url, Method(route), Path(row.Pattern), bearer, row.Before == 0 ? 0 : row.Before + 1);
                status.ShouldBeLessThan(502, row.Pattern);
            }
        });
    }

    [Fact]
    public async Task F03_of_a_known_caller_each_endpoint_reads_its_limit_and_not_more()
    {
        var (person, organization, node) =
            (
            KnownCallers.PersonToken(weir), await KnownCallers.OrganizationKeyAsync(weir), await KnownCallers.NodeKeyAsync(weir, "reader"));
        await Parallel.ForEachAsync(Routes, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (route, _) =>
        {
            var row = Table.Single(r => r.Pattern == route.RoutePattern.RawText);
            var bearer = row.Pattern switch
            {
                "/mcp" or "/mcp/{instance:maxlength(20)}" => weir.World.AgentKey,
                "/nodes/v1/heartbeat" => node,
                "/nodes/v1/register" => $"{Guid.Empty:N}.{new string('0', 64)}",
                _ => person,
            };
            var (method, path) = (Method(route), Path(row.Pattern));
            if (row.After == 0)
            {
                (await BodyProbe.UnfinishedAsync(weir.Url, method, path, bearer, 0)).ShouldBeLessThan(502, row.Pattern);
                return;
            }

            (await BodyProbe.WholeAsync(weir.Url, method, path, bearer, row.After)).ShouldNotBe(413, row.Pattern);
            (await BodyProbe.UnfinishedAsync(weir.Url, method, path, bearer, row.After + 1)).ShouldBe(413, row.Pattern);
            (await BodyProbe.AnnouncedAsync(weir.Url, method, path, bearer, row.After + 1L)).ShouldBe(413, row.Pattern);
        });

        // A key of an organization is known only by the statement that it asks for: it never gets more than what is read of anybody.
        (await BodyProbe.UnfinishedAsync(weir.Url, "POST", "/rest/v1/rpc/read_audit", organization, (64 * 1024) + 1)).ShouldBe(413);
    }

    [Fact]
    public async Task F03_a_key_is_proved_before_its_first_body_is_read_and_a_revoked_one_again()
    {
        var key = await weir.World.CreateKeyAsync(weir.World.AgentId);
        (await BodyProbe.WholeAsync(weir.Url, "POST", "/mcp", key, 100_000)).ShouldBe(400, "it is good, and what it sends is no message");

        await weir.Database.Superuser.ExecuteAsync("update public.agent_api_keys set revoked_at = now() where key_id = $1",
            [Sql.Text(AgentKey.Parse(key)!.Id)], CancellationToken.None);
        (await new RawClient(weir.Client(key)).ModernAsync("tools/list")).Status.ShouldBe(
            System.Net.HttpStatusCode.Unauthorized, "the database decides, whatever was seen before");
        (await BodyProbe.UnfinishedAsync(weir.Url, "POST", "/mcp", key, 0)).ShouldBe(401, "and from then on nothing is read of it");
    }

    private static string Method(RouteEndpoint route) => route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods[0] ?? "POST";

    private string Path(string pattern) => pattern
        .Replace("{instance:maxlength(20)}", "missing", StringComparison.Ordinal)
        .Replace("{agent:guid}", weir.World.AgentId.ToString(), StringComparison.Ordinal)
        .Replace("{function}", "create_agent", StringComparison.Ordinal).Replace("{table}", "agents", StringComparison.Ordinal)
        .Replace("{next}", "x", StringComparison.Ordinal)
        .Replace("{**path}", "x", StringComparison.Ordinal).Replace("{**rest}", "x", StringComparison.Ordinal);
}

public sealed class HeldBodiesTests(EmbeddedIssuerWeir weir) : IClassFixture<EmbeddedIssuerWeir>
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task F03_of_one_address_few_bodies_are_held_before_their_senders_are_known()
    {
        var held = new List<PipelinedConnection>();
        try
        {
            // A body that does not come is given up after a while: all are begun anew, until they are there together.
            await Until.AsyncTrue(
                async () =>
                {
                    held.ForEach(c => c.Dispose());
                    held.Clear();
                    for (var i = 0; i < UnknownBodies.MostOfOneAddress; i++)
                    {
                        held.Add(await BeginAsync());
                    }

                    return await TokenAsync() == 429;
                },
                "one body too many is refused",
                Timeout);
            (await BodyProbe.WholeAsync(weir.Url, "POST", "/mcp", weir.World.AgentKey, 10)).ShouldBe(400, "a known caller is not counted");
        }
        finally
        {
            held.ForEach(c => c.Dispose());
        }

        await Until.AsyncTrue(async () => await TokenAsync() == 400, "the places are free again", Timeout);
    }

    private async Task<PipelinedConnection> BeginAsync()
    {
        var connection = await PipelinedConnection.OpenAsync(weir.Url.Port);
        var head = $"POST /auth/v1/token?grant_type=password HTTP/1.1\r\nHost: {weir.Url.Authority}\r\nContent-Length: 100\r\n\r\n";
        await connection.SendAsync([new FuzzedRequest(head, "{"u8.ToArray())], CancellationToken.None);
        return connection;
    }

    private Task<int> TokenAsync() => BodyProbe.WholeAsync(weir.Url, "POST", "/auth/v1/token?grant_type=password", null, 2);
}
