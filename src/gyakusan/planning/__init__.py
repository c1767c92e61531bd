"""Planning: from people, a machine or a budget to recommended deployments, and why not others.

A plan is made in five rooms, three more build on them:

request      what was asked for: people, workload, machine or budget, limits, preferences
predict      speed with its interval, quality and capacity of one deployment
candidates   what can be combined: machines to own or buy, variants of models, reasoning modes
evaluate     the sweep: memory, speed, quality and price of all combinations, as columns of numpy arrays
select       from what fits to confirmed plans; relaxations, why-not, what-if, comparison
colocate     several models in the memory of one machine
fleet        many people: replicas, machines, queues, costs
upgrade      what to buy next for a machine that is owned

Imports run one way: request | predict < candidates < evaluate < select < colocate | fleet | upgrade (checked by import-linter).
"""
