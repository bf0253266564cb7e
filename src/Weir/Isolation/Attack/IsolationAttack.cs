using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>
/// Tries to get from one tenant into another, in the transaction of a rehearsal. Its steps:
/// <list type="number">
/// <item>let the owner become what a request becomes;</item>
/// <item>make two tenants through the published functions;</item>
/// <item>as the second one's owner and member, and as nobody: every table, every function;</item>
/// <item>with claims that are nobody's, with settings, and as every role that the gateway reaches;</item>
/// <item>with temporary tables in front of Weir's.</item>
/// </list>
/// Each attempt is undone at once, and its locks are given back.
/// </summary>
internal static class IsolationAttack
{
    /// <exception cref="Errors.WeirException">Conflict: the tenants could not be made. Unavailable: the database does not
    /// answer.</exception>
    public static async Task<Ledger> RunAsync(Rehearsal database, CancellationToken cancellationToken)
    {
        await database.ExecuteAsync(AttackQueries.BecomeApiRoles, cancellationToken); // 1
        var surface = await Surface.LoadAsync(database, cancellationToken);
        var tenant = await new TenantBuilder(database, surface, cancellationToken).BuildAsync(); // 2
        var attacker = await new TenantBuilder(database, surface, cancellationToken).BuildAsync();
        var victim = await Victim.LoadAsync(database, surface, tenant, attacker, cancellationToken);

        var ledger = new Ledger();
        var tables = new TableAttack(database, victim, attacker, ledger, cancellationToken);
        var functions = new FunctionAttack(database, victim, attacker, ledger, cancellationToken);
        (string Name, Actor Actor)[] actors =
            [("another organization's owner", attacker.Owner), ("another organization's member", attacker.Member), ("anon", Actor.Nobody)];
        foreach (var (name, actor) in actors) // 3
        {
            await tables.RunAsync(surface, name, actor);
            await functions.RunAsync(surface, name, actor);
        }

        foreach (var (name, actor) in actors.DistinctBy(a => a.Actor.Role))
        {
            await tables.PeekAsync(surface, name, actor);
        }

        var identity = new IdentityAttack(database, victim, attacker, ledger, cancellationToken);
        await identity.RunAsync(surface); // 4
        await functions.RunShadowedAsync(surface); // 5
        await new InsiderAttack(database, attacker, ledger, cancellationToken).RunAsync(surface); // 6
        return ledger;
    }
}
