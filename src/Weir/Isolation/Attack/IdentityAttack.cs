using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>Claims that are nobody's, settings that other systems trust, and the roles behind the gateway's login.</summary>
internal sealed class IdentityAttack(Rehearsal database, Victim victim, Tenant attacker, Ledger ledger, CancellationToken ct)
{
    public async Task RunAsync(Surface surface)
    {
        var everything = AttackQueries.Everything(surface);
        foreach (var claims in Claims())
        {
            foreach (var role in new[] { "authenticated", "anon" })
            {
                await LookAsync(new Actor(role, claims), everything, $"as {role} with the claims {claims}");
            }
        }

        foreach (var (name, value) in Settings())
        {
            await database.TryAsync(attacker.Owner, AttackQueries.Set, [Sql.Text(name), Sql.Text(value)], ct,
                () => LookAsync(null, everything, $"with the setting {name}"));
        }

        foreach (var role in await database.QueryAsync(AttackQueries.RolesBeyond, [], row => row.GetString(0), ct))
        {
            await LookAsync(attacker.Owner with { Role = role }, everything, $"as {role}, which weir_gateway may become,");
        }
    }

    /// <param name="actor">Null: who it is already.</param>
    private async Task LookAsync(Actor? actor, string everything, string how)
    {
        ledger.Tried();
        var attempt = await database.TryAsync(actor ?? attacker.Owner, everything, [], ct);
        foreach (var row in attempt.Rows.Where(row => victim.TraceIn(row, []) is not null))
        {
            ledger.Find("attack-identity", row[..row.IndexOf(' ', StringComparison.Ordinal)],
                $"{how} the rows of an organization are read by who is not in it");
        }
    }

    private IEnumerable<string> Claims()
    {
        var (them, us, organization) = (victim.Tenant.OwnerId, attacker.OwnerId, victim.Tenant.Ids["organization"]);
        return
        [
            "", "{}", "null", "[]", "{not json",
            $$"""{"sub":"{{them}}"}""",
            $$"""{"sub":"{{them}}","role":"anon"}""",
            $$"""{"sub":"{{them}}","role":"service_role"}""",
            $$"""{"sub":"{{them}}","role":["authenticated"]}""",
            $$"""{"sub":["{{them}}"],"role":"authenticated"}""",
            $$"""{"sub":{"id":"{{them}}"},"role":"authenticated"}""",
            $$"""{"sub":" {{them}}","role":"authenticated"}""",
            $$"""{"user_id":"{{them}}","role":"authenticated"}""",
            $$"""{"sub":"{{them}}","sub":"{{us}}","role":"authenticated"}""",
            $$"""{"sub":"{{us}}","role":"authenticated","organization_id":"{{organization}}","org_id":"{{organization}}"}""",
            $$"""{"sub":"{{us}}","role":"authenticated","user_metadata":{"sub":"{{them}}","organization_id":"{{organization}}","role":"owner"} }""",
            $$"""{"sub":"{{us}}","role":"authenticated","app_metadata":{"sub":"{{them}}","organization_id":"{{organization}}","role":"owner"} }""",
        ];
    }

    private IEnumerable<(string Name, string Value)> Settings() =>
    [
        ("request.jwt.claim.sub", victim.Tenant.OwnerId.ToString()),
        ("request.jwt.claim", $$"""{"sub":"{{victim.Tenant.OwnerId}}","role":"authenticated"}"""),
        ("request.headers", $$"""{"x-user-id":"{{victim.Tenant.OwnerId}}"}"""),
        ("app.current_user", victim.Tenant.OwnerId.ToString()),
        ("app.current_organization", victim.Tenant.Ids["organization"]),
        ("weir.actor_id", victim.Tenant.OwnerId.ToString()),
        ("row_security", "off"),
        ("search_path", "pg_temp, public, weir"),
    ];
}
